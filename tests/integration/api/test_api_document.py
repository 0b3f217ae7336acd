"""The OpenAPI document is valid and complete, and agrees with the application and with docs/api.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis

from norn_api.access.permissions import TABLE
from norn_api.web.openapi import REFUSALS
from norn_tasks.domain.jobs.event import EventKind
from tests.integration.api.factories import Api

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("/", "/assets/<path:file>", "/api/docs", "/api/docs/<path:file>", "/api/openapi.json")


def operations(api: Api) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields every operation of the document."""
    for path, item in api.get("/api/openapi.json").json["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def written(rule: str) -> str:
    """Returns a route in the notation of the document."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def test_document_is_openapi_3_1(lasting: Api) -> None:
    assert lasting.get("/api/openapi.json").json["openapi"] == "3.1.0"


def test_document_is_valid(lasting: Api) -> None:
    schemathesis.openapi.from_dict(lasting.get("/api/openapi.json").json).validate()


def test_document_has_every_api_route_and_no_other(lasting: Api) -> None:
    routes = {(method, written(rule)) for method, rule in TABLE if not rule.startswith("/fn/") and rule not in PAGES}
    assert {(method, path) for method, path, _ in operations(lasting)} == routes


def test_every_operation_has_an_id_of_its_own(lasting: Api) -> None:
    ids = Counter(operation["operationId"] for _, _, operation in operations(lasting))
    assert [name for name, times in ids.items() if times > 1] == []


@pytest.mark.parametrize("member", ["operationId", "summary", "tags", "responses"])
def test_every_operation_has(lasting: Api, member: str) -> None:
    assert [path for _, path, operation in operations(lasting) if not operation.get(member)] == []


def test_every_operation_documents_its_problems(lasting: Api) -> None:
    silent = [
        (path, status)
        for _, path, operation in operations(lasting)
        for status in REFUSALS
        if status not in operation["responses"]
    ]
    assert silent == []


def test_no_operation_documents_whatever_comes(lasting: Api) -> None:
    """An entry `default` would allow every status."""
    assert [path for _, path, operation in operations(lasting) if "default" in operation["responses"]] == []


def test_every_id_in_a_path_has_an_example(lasting: Api) -> None:
    bare = [
        (path, parameter["name"])
        for _, path, operation in operations(lasting)
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path" and not parameter["schema"].get("examples")
    ]
    assert bare == []


def test_every_reference_leads_somewhere(lasting: Api) -> None:
    text = lasting.get("/api/openapi.json").text
    shapes = lasting.get("/api/openapi.json").json["components"]["schemas"]
    wanted = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert wanted - shapes.keys() == set()


def test_operations_open_to_anyone_ask_for_no_token(lasting: Api) -> None:
    open_ones = {path for _, path, operation in operations(lasting) if operation["security"] == []}
    assert open_ones == {rule for (_, rule), needed in TABLE.items() if needed.open or needed.signed} - set(PAGES)


def test_pages_of_the_document_name_no_other_machine(lasting: Api) -> None:
    for path in ("/api/docs", "/api/docs/start.js"):
        assert "//" not in lasting.get(path).text


@pytest.mark.parametrize("file", ["swagger-ui.css", "swagger-ui-bundle.js", "start.js", "swagger.svg"])
def test_pages_have_their_files(lasting: Api, file: str) -> None:
    assert lasting.get(f"/api/docs/{file}").status_code == 200


def test_docs_list_every_endpoint() -> None:
    rows = re.findall(r"^\| `([A-Z]+)` \| `([^`]+)` \| ([^|]+) \|", (DOCS / "api.md").read_text(), re.MULTILINE)
    listed = {(method, path): scope.strip() for method, path, scope in rows}
    told = {
        (method, written(rule)): "signed" if needed.signed else str(needed.scope or "–")
        for (method, rule), needed in TABLE.items()
        if not rule.startswith("/fn/")
    }
    assert listed == told


def test_docs_list_every_event() -> None:
    listed = re.findall(r"^\| `([a-z.-]+)` \|", (DOCS / "events.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(EventKind)
