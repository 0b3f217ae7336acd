"""Every wrong request gets the right status, a stable code and a sentence; and it changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from norn_tasks.domain.access import Scope
from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import HELLO, Api

JSON = {"Content-Type": "application/json"}
Ask = Callable[..., TestResponse]
_addresses = itertools.count(1)


@pytest.fixture(scope="module")
def api(lasting: Api) -> Api:
    """An application for all tests here, with a live webserver `hello` and a worker."""
    shared.add_live(lasting.database, "hello", "webserver")
    factories.add_worker(lasting.database)
    return lasting


@pytest.fixture(scope="module")
def hello(api: Api) -> Api:
    """The same application, for tests that use its app `hello`."""
    return api


@pytest.fixture
def stranger(api: Api) -> Iterator[Ask]:
    """A client without a token; each test has an address of its own."""
    elsewhere = {"REMOTE_ADDR": f"10.0.0.{next(_addresses)}"}
    yield lambda path, **more: api.anonymous().get(path, environ_overrides=elsewhere, **more)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        ('{"replicas": 1', JSON, 400, "bad_request"),
        ("", JSON, 400, "bad_request"),
        ("[1]", JSON, 400, "bad_request"),
        ('"text"', JSON, 400, "bad_request"),
        ('{"replicas": NaN}', JSON, 400, "bad_request"),
        ('{"replicas": 1, "replicas": 2}', JSON, 400, "bad_request"),
        ("[" * 100_000, JSON, 400, "bad_request"),
        ("{" + '"a":{' * 50_000, JSON, 400, "bad_request"),
        (b'{"replicas": "\xff"}', JSON, 400, "bad_request"),
        ('{"replicas": ' + "9" * 5000 + "}", JSON, 400, "bad_request"),
        ('{"replicas": 1}', {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ("replicas=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ('{"replicas": 1}', {}, 415, "unsupported_media_type"),
        ('{"replicas": 1, "colour": "red"}', JSON, 422, "invalid_request"),
        ('{"replicas": "1"}', JSON, 422, "invalid_request"),
        ('{"replicas": true}', JSON, 422, "invalid_request"),
        ('{"replicas": 1.5}', JSON, 422, "invalid_request"),
        ('{"replicas": -1}', JSON, 422, "invalid_request"),
        ('{"replicas": 99999999999999999999}', JSON, 422, "invalid_request"),
        ("{}", JSON, 422, "invalid_request"),
        ('{"replicas": 1, "reset": true}', JSON, 422, "invalid_request"),
    ],
)
def test_bad_body_is_refused(hello: Api, body: Any, headers: dict[str, str], status: int, code: str) -> None:
    answer = hello.post("/api/apps/hello/scale", data=body, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_unknown_field_is_named(hello: Api) -> None:
    answer = hello.post("/api/apps/hello/scale", json={"replicas": 1, "colour": "red"})
    assert [mistake["field"] for mistake in answer.json["mistakes"]] == ["colour"]


def test_all_wrong_fields_are_told_at_once(api: Api) -> None:
    answer = api.post("/api/tokens", json={"name": "A B", "scopes": [], "colour": 1})
    assert {mistake["field"] for mistake in answer.json["mistakes"]} == {"name", "scopes", "colour"}


def test_refused_value_is_not_repeated(api: Api) -> None:
    answer = api.post("/api/tokens", json={"name": "s3cr3t value", "scopes": ["read"]})
    assert "s3cr3t" not in answer.text


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_text_that_cannot_be_kept_is_refused(hello: Api, text: str) -> None:
    answer = hello.post("/api/apps/hello/deploy", json={"ref": text})
    assert (answer.status_code, answer.json["mistakes"][0]["field"]) == (422, "ref")


@pytest.mark.parametrize(
    "path",
    ["/api/apps/a%00b", "/api/apps?after=%00", "/api/jobs?app=a%00", "/fn/hello/%00", "/api/events?after=1%00-2"],
)
def test_nul_in_an_address_is_refused(api: Api, path: str) -> None:
    assert api.get(path).status_code == 422


def test_absent_body_is_an_empty_object(hello: Api) -> None:
    assert hello.post("/api/apps/hello/restart").status_code == 202


def test_body_over_the_limit_is_refused(hello: Api) -> None:
    answer = hello.post("/api/apps/hello/deploy", json={"ref": "x" * 1_100_000})
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


def test_spec_over_the_limit_is_refused(api: Api) -> None:
    answer = api.put_spec("hello", HELLO + "#" * 70_000)
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


def test_nothing_is_done_for_a_refused_request(hello: Api) -> None:
    hello.post("/api/apps/hello/scale", json={"replicas": 1, "colour": "red"})
    assert hello.get("/api/jobs?kind=scale").json["items"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/nothing", "/api/", "/api/apps/", "/api/jobs/abc", "/api/jobs/0", "/api/jobs/-1",
        "/api/jobs/99999999999999999999", "/api/jobs/7", "/api/deployments/7", "/api/invocations/7",
        "/api/apps/none", "/api/apps/..%2f..%2fetc", "/api/apps/UPPER", "/api/apps/none/forge",
        "/api/apps/none/releases", "/api/apps/none/cron", "/api/apps/none/function/history", "/api/apps/none/logs",
        "/api/docs/none.js", "/api/docs/../app.py",
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_404_problem(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize("verb", ["forge", "deploy", "rollback", "restart", "teardown", "cron/trigger", "invoke"])
def test_work_on_an_unknown_app_is_404(api: Api, verb: str) -> None:
    answer = api.post(f"/api/apps/none/{verb}", json={})
    assert (answer.status_code, answer.json["code"]) == (404, "app_not_found")


def test_wrong_method_is_a_405_problem_that_lists_the_right_ones(api: Api) -> None:
    answer = api.ask("PATCH", "/api/apps/hello")
    assert answer.status_code == 405
    assert {"GET", "PUT", "DELETE"} <= set(answer.headers["Allow"].split(", "))


def test_unknown_query_parameter_is_named(api: Api) -> None:
    answer = api.get("/api/jobs?colour=red")
    assert (answer.status_code, answer.json["mistakes"][0]["field"]) == (422, "colour")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "after=-1", "after=x", "state=odd", "kind=odd", "class=odd"]
)
def test_wrong_query_parameter_is_refused(api: Api, query: str) -> None:
    answer = api.get(f"/api/jobs?{query}")
    assert (answer.status_code, answer.json["mistakes"][0]["field"]) == (422, query.split("=")[0])


def test_no_token_is_told_with_a_challenge(stranger: Ask) -> None:
    answer = stranger("/api/apps")
    assert answer.json["code"] == "unauthenticated"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer norn_wrong", "Bearer", "Basic bm9ybjp4", "norn_wrong", "Bearer \xff"])
def test_wrong_token_is_refused(stranger: Ask, header: str) -> None:
    assert stranger("/api/apps", headers={"Authorization": header}).status_code == 401


def test_many_failures_from_one_address_are_slowed(stranger: Ask) -> None:
    statuses = [stranger("/api/apps").status_code for _ in range(25)]
    assert (statuses[0], statuses[-1]) == (401, 429)


def test_good_token_passes_where_others_are_slowed(api: Api) -> None:
    for _ in range(25):
        api.anonymous().get("/api/apps")
    assert api.get("/api/apps").status_code == 200


def test_slowed_failure_says_when_to_come_again(stranger: Ask) -> None:
    answers = [stranger("/api/apps") for _ in range(25)]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 4


@pytest.mark.parametrize("value", ["", "a b", "ä", "x" * 201])
def test_bad_idempotency_key_is_refused(hello: Api, value: str) -> None:
    answer = hello.post(
        "/api/apps/hello/restart", json={}, headers={"Idempotency-Key": value.encode().decode("latin-1")}
    )
    assert (answer.status_code, answer.json["detail"][:15]) == (422, "Idempotency-Key")


def test_unforeseen_error_is_a_problem_with_an_id_and_no_values(database: Database) -> None:
    api = factories.api(database)
    api.app.view_functions["server.get_version"] = _explode
    answer = api.get("/api/version")
    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    assert "s3cr3t" not in answer.text
    api.services.close()


def _explode() -> None:
    raise ZeroDivisionError("s3cr3t")


def test_reader_is_told_which_scope_is_missing(hello: Api) -> None:
    answer = hello.asked_as(Scope.READ).post("/api/apps/hello/deploy", json={})
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert "deploy" in answer.json["detail"]
