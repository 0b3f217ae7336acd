"""The OpenAPI document: valid, complete, and the same as what the application does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import schemathesis

from norn_api.permissions import TABLE
from tests.integration.api.factories import Api

ENDPOINTS = Path(__file__).parents[3] / "docs" / "api.md"


def operations(api: Api) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in api.get("/api/openapi.json").json["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def written(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def test_document_is_valid_openapi_3_1(api: Api) -> None:
    document = api.get("/api/openapi.json").json
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()
