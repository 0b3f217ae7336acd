"""How much of a call is kept after its response was read: `function.record`."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from sqlalchemy import text

from norn_tasks.scheduler.housekeeping import Housekeeping
from norn_tasks.settings import Settings
from tests import factories as shared
from tests.integration.api.factories import Api, add_worker
from tests.integration.api.test_api_functions import ASYNC, worker
from tests.servers import wait_until

BODY = b"what was asked"


def function(api: Api, record: str) -> str:
    """Makes a live function with this value of `function.record`."""
    shared.add_live(api.database, f"fn-{record}", "function", f"function: {{record: {record}, timeout: 3}}\n")
    add_worker(api.database)
    return f"fn-{record}"


def record_of(api: Api, execution: str | int) -> dict[str, Any]:
    return dict(api.get(f"/api/invocations/{execution}").get_json())


def call(api: Api, app: str, **headers: str) -> Any:
    with worker(api):
        return api.post(f"/fn/{app}?q=1", data=BODY, headers=headers)


def replay(api: Api, execution: str) -> tuple[int, str]:
    answer = api.post(f"/api/invocations/{execution}/replay")
    return answer.status_code, answer.get_json().get("code", "")


@pytest.mark.parametrize(
    ("record", "stdout", "replayed"),
    [("full", "hello", (202, "")), ("output", "hello", (409, "not_recorded")), ("meta", None, (409, "not_recorded"))],
)
def test_what_stays_of_a_synchronous_call(
    connected: Api, record: str, stdout: str | None, replayed: tuple[int, str]
) -> None:
    answer = call(connected, function(connected, record))
    execution = answer.headers["X-Norn-Invocation-Id"]
    assert (answer.data, record_of(connected, execution)["stdout"]) == (b"hello", stdout)
    assert replay(connected, execution) == replayed


def test_sizes_and_hashes_tell_what_was_there_and_no_query_or_header_does(connected: Api) -> None:
    answer = call(connected, function(connected, "meta"), **{"X-Custom": "c"})
    told = record_of(connected, answer.headers["X-Norn-Invocation-Id"])
    assert (told["request_size"], told["response_size"]) == (len(BODY), 5)
    assert told["request_sha256"] == hashlib.sha256(BODY).hexdigest()
    assert told["response_sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert told["query"] == ""
    with connected.database.transaction() as tx:
        assert tx.scalar(text("SELECT headers FROM func_executions")) == {}


def asynchronous(api: Api) -> int:
    app = function(api, "meta")
    with worker(api):
        execution = int(api.post(f"/fn/{app}", data=BODY, headers=ASYNC).get_json()["execution"])
        wait_until(lambda: record_of(api, execution)["finished_at"], 10, "the call has ended")
    return execution


def test_an_asynchronous_answer_stays_for_its_time(connected: Api) -> None:
    execution = asynchronous(connected)
    Housekeeping(connected.database, Settings()).round()
    assert record_of(connected, execution)["stdout"] == "hello"


def test_then_it_goes(connected: Api) -> None:
    execution = asynchronous(connected)
    Housekeeping(connected.database, Settings(result_ttl=1e-6)).round()
    assert record_of(connected, execution)["stdout"] is None


def test_who_asks_again_under_a_key_gets_the_answer_as_long_as_it_stays(connected: Api) -> None:
    app, key = function(connected, "meta"), {"Idempotency-Key": "k"}
    assert [call(connected, app, **key).data for _ in range(2)] == [b"hello", b"hello"]
    Housekeeping(connected.database, Settings(result_ttl=1e-6)).round()
    late = call(connected, app, **key)
    assert (late.status_code, late.get_json()["code"]) == (409, "not_recorded")


def test_the_oldest_bodies_of_an_app_go_when_it_has_too_many_bytes_of_them(connected: Api) -> None:
    app = function(connected, "full")
    old, new = (call(connected, app).headers["X-Norn-Invocation-Id"] for _ in range(2))
    Housekeeping(connected.database, Settings(result_ttl=1e-6, keep_bodies=len(BODY) + len(b"hello"))).round()
    assert [record_of(connected, each)["stdout"] for each in (old, new)] == [None, "hello"]
    assert record_of(connected, old)["request_sha256"] == hashlib.sha256(BODY).hexdigest()
    assert replay(connected, old) == (409, "not_recorded")
