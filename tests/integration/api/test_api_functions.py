"""Functions by the routes /fn and /api: the input of the code, the response for each kind of end, and which calls wait
for how long.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from schemathesis.specs.openapi.checks import response_schema_conformance
from sqlalchemy import select
from werkzeug.test import TestResponse

from norn_api.calling.calls import NoCapacity, trouble
from norn_api.calling.outputs import answer_of
from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.execution import Captured, ContainerExit, judge
from norn_tasks.domain.jobs.job import JobClass, JobState, Problem
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import ExecutionFinished
from norn_tasks.store.apps import registry
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue import endings
from norn_tasks.store.runs import runs_read
from norn_tasks.store.tables import JobRow
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api, add_worker
from tests.servers import Broker, wait_until

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def fn(connected: Api) -> Api:
    """An application with a live function `fn` and a worker for its calls."""
    shared.add_live(connected.database, "fn", "function", "function:\n  timeout: 3\n  maxBody: 1KiB\n")
    add_worker(connected.database)
    return connected


def ended(exit_code: int | None = 0, stdout: bytes = b"hello", stderr: bytes = b"", **more: Any) -> ContainerExit:
    """Returns a description of how a container ended."""
    now = datetime.now(UTC)
    streams = {"stdout": Captured(stdout), "stderr": Captured(stderr)}
    return ContainerExit(exit_code, started_at=now, finished_at=now + timedelta(milliseconds=7), **streams, **more)


def finish(api: Api, job: Job, end: ContainerExit) -> None:
    """Ends a call with this result, as the runner does."""
    ledger, place = Ledger(api.database, patience=5), StepPosition(0, "run-container")
    ledger.begin_step(job.fence, place, None)
    ledger.begin_code(job.fence, job.required_execution().runs)
    write = ExecutionFinished(judge(end, timeout=3, memory=2**28))
    ledger.end_step(job.fence, place, StepEnd(StepState.SUCCEEDED, Learned(writes=(write,))))
    ledger.finish(job.fence, JobState.SUCCEEDED)
    api.services.live.announce_end(job.required_execution().id)


@contextmanager
def worker(api: Api, end: ContainerExit | None = None) -> Iterator[list[Job]]:
    """Ends every call as soon as it is accepted; yields the list of jobs that it has claimed."""
    stop = threading.Event()
    taken: list[Job] = []

    def work() -> None:
        while not stop.wait(0.02):
            job = take(api.database, shared.claimer("w1", JobClass.INVOKE))
            if job is not None:
                taken.append(job)
                finish(api, job, end or ended())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield taken
    finally:
        stop.set()
        thread.join()


def call(api: Api, path: str = "/fn/fn", method: str = "POST", **more: Any) -> TestResponse:
    """Calls the function."""
    return api.ask(method, path, **more)


# The input of the code


def test_answer_is_what_the_code_printed(fn: Api) -> None:
    with worker(fn, ended(stdout=b"\x00\xff binary")):
        answer = call(fn)
    assert (answer.status_code, answer.data, answer.content_type) == (200, b"\x00\xff binary", "text/plain")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_any_verb_reaches_the_code(fn: Api, method: str) -> None:
    with worker(fn) as taken:
        call(fn, method=method)
    assert taken[0].required_execution().call.method == method


@pytest.mark.parametrize(
    ("address", "path", "query"),
    [
        ("/fn/fn", "/", ""), ("/fn/fn/", "/", ""), ("/fn/fn/a/b", "/a/b", ""), ("/fn/fn//a//b/", "//a//b/", ""),
        ("/fn/fn/a%20b?x=%2F&y", "/a b", "x=%2F&y"), ("/fn/fn/../x", "/../x", ""),
    ],
)  # fmt: skip
def test_path_and_query_reach_the_code_as_they_are(fn: Api, address: str, path: str, query: str) -> None:
    with worker(fn) as taken:
        call(fn, address)
    assert (taken[0].required_execution().call.path, taken[0].required_execution().call.query) == (path, query)


def test_body_reaches_the_code_to_the_byte(fn: Api) -> None:
    body = bytes(range(256)) * 4
    with worker(fn) as taken:
        call(fn, data=body, headers={"Content-Type": "image/png"})
    assert (taken[0].required_execution().call.body, taken[0].required_execution().call.content_type) == (
        body,
        "image/png",
    )


def test_secret_headers_are_dropped_before_anything_is_kept(fn: Api) -> None:
    dropped = {
        "Cookie": "a=b", "Proxy-Authorization": "x", "Cf-Ray": "x", "X-Forwarded-For": "x", "X-Norn-Secret": "x",
        "Idempotency-Key": "k", "TE": "x", "Upgrade": "x", "Connection": "X-Private", "X-Private": "x",
    }  # fmt: skip
    with worker(fn) as taken:
        call(fn, headers={**dropped, "X-Kept": "yes"})
    assert {name for name in taken[0].required_execution().call.headers if name.startswith("x-")} == {"x-kept"}
    assert {name.lower() for name in dropped} | {"authorization"} & set(taken[0].required_execution().call.headers) == {
        name.lower() for name in dropped
    }


def test_body_over_its_limit_is_refused_and_no_call_is_made(fn: Api) -> None:
    answer = call(fn, data=b"x" * 1025)
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")
    assert fn.get("/api/apps/fn/function/history").json["items"] == []


def test_body_of_just_its_limit_is_taken(fn: Api) -> None:
    with worker(fn):
        assert call(fn, data=b"x" * 1024).status_code == 200


def test_headers_over_their_limit_are_refused(fn: Api) -> None:
    answer = call(fn, headers={f"X-{n}": "x" * 8000 for n in range(5)})
    assert (answer.status_code, answer.json["code"]) == (431, "headers_too_large")


# The response


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (ended(3), 502, "function_failed"),
        (ended(139), 502, "function_failed"),
        (ended(127), 502, "not_runnable"),
        (ended(137, oom_killed=True), 502, "oom_killed"),
        (ended(137, too_large=True), 502, "output_too_large"),
        (ended(137, timed_out=True), 504, "timed_out"),
        (ended(125), 502, "engine_lost"),
    ],
)
def test_bad_end_is_a_problem(fn: Api, end: ContainerExit, status: int, code: str) -> None:
    with worker(fn, end):
        answer = call(fn)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_problem_names_the_invocation(fn: Api) -> None:
    with worker(fn, ended(3)):
        answer = call(fn)
    assert str(answer.json["execution"]) == answer.headers["X-Norn-Invocation-Id"]


def _cgi(api: Api) -> None:
    shared.add_live(api.database, "page", "function", "function:\n  response: cgi\n  contentType: text/html\n")


def test_cgi_answer_has_the_status_and_the_headers_that_the_code_printed(fn: Api) -> None:
    _cgi(fn)
    with worker(fn, ended(stdout=b"Status: 418\nX-Pot: tea\nCache-Control: max-age=5\n\n\x00short")):
        answer = call(fn, "/fn/page")
    assert (answer.status_code, answer.data, answer.content_type) == (418, b"\x00short", "text/html")
    assert (answer.headers["X-Pot"], answer.headers["Cache-Control"]) == ("tea", "max-age=5")
    assert answer.headers["Content-Security-Policy"] == "sandbox allow-scripts allow-forms"


def test_answer_of_a_call_is_read_as_its_own_release_says(fn: Api) -> None:
    _cgi(fn)
    execution = call(fn, "/fn/page", headers=ASYNC).json["execution"]
    with fn.database.transaction() as tx:
        shared.add_release(tx, shared.spec("page", "function"), 2)
        record = runs_read.call(tx, execution)
        options = registry.options_of_release(tx, "page", record.release)
    assert options is not None
    assert (record.release, answer_of(b"Status: 404\n\nno", options).status) == (1, 404)


def test_stderr_goes_to_the_record_only(fn: Api) -> None:
    with worker(fn, ended(3, stderr=b"s3cr3t path")):
        answer = call(fn)
    assert "s3cr3t" not in answer.text
    assert fn.get(f"/api/invocations/{answer.json['execution']}").json["stderr"] == "s3cr3t path"


@pytest.mark.parametrize("end", [ended(), ended(3)])
def test_every_answer_is_sandboxed_and_told_its_call(fn: Api, end: ContainerExit) -> None:
    with worker(fn, end):
        answer = call(fn)
    assert answer.headers["Content-Security-Policy"] == "sandbox allow-scripts allow-forms"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Norn-Duration-Ms"] == "7"
    assert int(answer.headers["X-Norn-Invocation-Id"]) > 0


def test_refusals_are_sandboxed_too(fn: Api) -> None:
    answer = call(fn.anonymous())
    assert (answer.status_code, answer.headers["Content-Security-Policy"]) == (401, "sandbox allow-scripts allow-forms")


def test_call_that_does_not_end_is_504_in_its_time(fn: Api) -> None:
    answers: list[TestResponse] = []
    begin = time.monotonic()
    caller = threading.Thread(target=lambda: answers.append(call(fn)))
    caller.start()
    wait_until(lambda: fn.get("/api/jobs").json["items"], 5, "the call waits")
    job = shared.claim(fn.database, job_class=JobClass.INVOKE)
    Ledger(fn.database, patience=5).begin_code(job.fence, job.required_execution().runs)
    caller.join()
    assert (answers[0].status_code, answers[0].json["code"]) == (504, "timed_out")
    assert 3 <= time.monotonic() - begin < 10


def test_call_that_nobody_began_is_429_in_its_time(fn: Api) -> None:
    begin = time.monotonic()
    answer = call(fn)
    assert (answer.status_code, answer.json["code"]) == (429, "no_capacity")
    assert 3 <= time.monotonic() - begin < 10


def test_call_that_nobody_began_is_429_although_its_row_is_locked_for_a_moment(fn: Api) -> None:
    """Timeout and grace end after 7 s; until shortly after that, another session has locked the row."""
    answers: list[TestResponse] = []
    begin = time.monotonic()
    caller = threading.Thread(target=lambda: answers.append(call(fn)))
    caller.start()
    wait_until(lambda: fn.get("/api/jobs").json["items"], 5, "the call waits")
    with fn.database.transaction() as tx:
        tx.execute(select(JobRow.id).with_for_update()).all()
        time.sleep(begin + 7.25 - time.monotonic())
    caller.join()
    assert (answers[0].status_code, answers[0].json["code"]) == (429, "no_capacity")


def test_call_that_nobody_could_run_is_429(fn: Api) -> None:
    execution = call(fn, headers=ASYNC).json["execution"]
    with fn.database.transaction() as tx:
        row = tx.execute(select(JobRow).where(JobRow.execution == execution)).mappings().one()
        endings.end(tx, row, JobState.EXPIRED, Problem("expired", "waited 3 s, no worker free"))
    with fn.database.transaction() as tx:
        record = runs_read.call(tx, execution)
    assert type(trouble(record)) is NoCapacity


def test_no_worker_at_all_is_503_at_once_and_no_call_is_made(connected: Api) -> None:
    shared.add_live(connected.database, "fn")
    answer = call(connected)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert connected.get("/api/jobs").json["items"] == []


def test_broken_broker_is_503_at_once_and_no_call_is_made(api: Api) -> None:
    shared.add_live(api.database, "fn")
    add_worker(api.database)
    api.services.intake.waker.wake(JobClass.INVOKE)
    assert (call(api).status_code, api.get("/api/jobs").json["items"]) == (503, [])


def test_async_call_makes_do_without_broker_and_worker(api: Api) -> None:
    shared.add_live(api.database, "fn")
    begin = time.monotonic()
    assert call(api, headers=ASYNC).status_code == 202
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize(("role", "status", "code"), [("webserver", 409, "wrong_role"), (None, 404, "app_not_found")])
def test_what_is_no_function_is_not_called(connected: Api, role: str | None, status: int, code: str) -> None:
    if role is not None:
        shared.add_live(connected.database, "fn", role)
    answer = call(connected)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_function_without_a_release_is_409(connected: Api) -> None:
    with connected.database.transaction() as tx:
        shared.add_app(tx, shared.spec("fn"))
    answer = call(connected)
    assert (answer.status_code, answer.json["code"]) == (409, "not_deployed")


def test_too_many_waiting_calls_are_429(database: Database, broker: Broker) -> None:
    api = factories.api(database, broker.url, max_waiting=1)
    shared.add_live(database, "fn", "function", "function:\n  timeout: 2\n")
    add_worker(database)
    first = threading.Thread(target=lambda: call(api))
    first.start()
    wait_until(lambda: api.get("/api/jobs").json["items"], 5, "the first call waits")
    answer = call(api)
    first.join()
    api.services.close()
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)


def test_wait_ends_when_the_process_is_to_end(fn: Api) -> None:
    answers: list[TestResponse] = []
    waiter = threading.Thread(target=lambda: answers.append(call(fn)))
    waiter.start()
    wait_until(lambda: fn.get("/api/jobs").json["items"], 5, "the call waits")
    fn.services.closing.set()
    waiter.join()
    assert (answers[0].status_code, "/api/invocations/" in answers[0].json["hint"]) == (504, True)


def test_invoker_may_call(fn: Api) -> None:
    with worker(fn):
        assert call(fn.asked_as(Scope.INVOKE)).status_code == 200


# Asynchronous calls, keys


def test_async_call_is_202_with_its_job_and_execution(fn: Api) -> None:
    answer = call(fn, headers=ASYNC)
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/api/jobs/{answer.json['job']}")
    assert answer.headers["X-Norn-Invocation-Id"] == str(answer.json["execution"])


def test_same_key_is_the_same_call(fn: Api) -> None:
    keyed = {"Idempotency-Key": "one"}
    with worker(fn) as taken:
        answers = [call(fn, data=b"x", headers=keyed) for _ in range(2)]
    assert [answer.data for answer in answers] == [b"hello", b"hello"]
    assert len(taken) == 1


def test_same_key_with_another_query_is_refused(fn: Api) -> None:
    keyed = {"Idempotency-Key": "one", **ASYNC}
    call(fn, "/fn/fn?a=1", headers=keyed)
    assert call(fn, "/fn/fn?a=2", headers=keyed).status_code == 422


# The route below /api


def test_invoke_answers_the_record_of_a_good_call(fn: Api) -> None:
    with worker(fn, ended(stdout="ü".encode(), stderr=b"note")):
        record = fn.post("/api/apps/fn/invoke?method=PUT&path=/a?b=1", data=b"in").json
    assert (record["state"], record["stdout"], record["stderr"], record["exit_code"]) == ("succeeded", "ü", "note", 0)
    assert (record["method"], record["path"], record["query"], record["request_size"]) == ("PUT", "/a", "b=1", 2)


def test_invoke_answers_200_with_the_record_of_a_bad_call(fn: Api) -> None:
    with worker(fn, ended(3)):
        answer = fn.post("/api/apps/fn/invoke")
    assert (answer.status_code, answer.json["state"], answer.json["exit_code"]) == (200, "failed", 3)


def test_output_that_is_no_text_comes_in_base64(fn: Api) -> None:
    with worker(fn, ended(stdout=b"\xff\x00")):
        record = fn.post("/api/apps/fn/invoke").json
    assert (record["stdout"], base64.b64decode(record["stdout_base64"])) == (None, b"\xff\x00")


def test_invoke_can_be_asked_not_to_wait(fn: Api) -> None:
    assert fn.post("/api/apps/fn/invoke", headers=ASYNC).status_code == 202


@pytest.mark.parametrize("query", ["path=x", "method=post", "method=GE%20T"])
def test_strange_request_line_is_refused(fn: Api, query: str) -> None:
    assert fn.post(f"/api/apps/fn/invoke?{query}").status_code == 422


# Records


def test_history_lists_calls_newest_first(fn: Api) -> None:
    made = [call(fn, headers=ASYNC).json["execution"] for _ in range(3)]
    assert [item["id"] for item in fn.get("/api/apps/fn/function/history").json["items"]] == made[::-1]


def test_waiting_call_is_cancelled_at_once(fn: Api) -> None:
    execution = call(fn, headers=ASYNC).json["execution"]
    answer = fn.ask("DELETE", f"/api/invocations/{execution}")
    assert (answer.status_code, answer.json["state"]) == (202, "cancelled")


def test_replay_calls_again_with_the_same_request(fn: Api) -> None:
    execution = call(fn, "/fn/fn/a?b=1", data=b"body", headers={**ASYNC, "X-One": "1"}).json["execution"]
    with worker(fn) as taken:
        fn.post(f"/api/invocations/{execution}/replay", json={})
        wait_until(lambda: len(taken) == 2, 5, "both calls ran")
    assert taken[0].required_execution().call == taken[1].required_execution().call


def test_replay_may_go_to_another_release(fn: Api) -> None:
    with fn.database.transaction() as tx:
        shared.add_release(tx, shared.spec("fn"), 2)
    execution = call(fn, headers=ASYNC).json["execution"]
    job = fn.post(f"/api/invocations/{execution}/replay", json={"release": 1}).json["job"]
    assert fn.get(f"/api/jobs/{job}").json["release"] == 1


def test_invoker_sees_its_own_call_and_not_those_of_others(fn: Api) -> None:
    invoker = fn.asked_as(Scope.INVOKE)
    own, other = (call(who, headers=ASYNC).json["execution"] for who in (invoker, fn))
    assert [invoker.get(f"/api/invocations/{one}").status_code for one in (own, other)] == [200, 403]


def test_record_has_the_status_and_the_headers_of_the_answer(fn: Api) -> None:
    _cgi(fn)
    with worker(fn, ended(stdout=b"Status: 404\nX-A: b\n\nno")):
        record = fn.post("/api/apps/page/invoke").json
    assert (record["status"], record["headers"]) == (404, [["Content-Type", "text/html"], ["X-A", "b"]])
    with worker(fn, ended(3)):
        assert fn.post("/api/apps/fn/invoke").json["status"] == 502
    waiting = call(fn, headers=ASYNC).json["execution"]
    assert fn.get(f"/api/invocations/{waiting}").json["status"] is None


def test_record_of_a_call_is_as_the_document_says(fn: Api) -> None:
    with worker(fn):
        execution = fn.post("/api/apps/fn/invoke").json["id"]
    document = schemathesis.openapi.from_dict(fn.get("/api/openapi.json").json)
    case = document["/api/invocations/{invocation}"]["GET"].Case(path_parameters={"invocation": execution})
    case.validate_response(fn.get(f"/api/invocations/{execution}"), checks=[response_schema_conformance])


def test_two_answers_are_compared_as_a_client_gets_them(fn: Api) -> None:
    _cgi(fn)
    made = []
    for out in (b"X-A: b\n\none\ntwo\n", b"Status: 201\nX-A: c\n\none\nthree\n", b"X-A: b\n\none\ntwo\n", b"wrong"):
        with worker(fn, ended(3) if out == b"wrong" else ended(stdout=out)):
            made.append(fn.post("/api/apps/page/invoke").json["id"])
    first, second, same, failed = made
    found = fn.get(f"/api/invocations/{first}/comparison/{second}").json
    assert (found["same"], found["status"]["before"], found["status"]["after"]) == (False, "200", "201")
    assert found["headers"] == [{"name": "x-a", "before": "b", "after": "c"}]
    assert (found["first_byte"], found["lines"][-2:]) == (5, ["-two", "+three"])
    assert fn.get(f"/api/invocations/{first}/comparison/{same}").json["same"] is True
    worse = fn.get(f"/api/invocations/{first}/comparison/{failed}").json
    assert (worse["status"]["after"], worse["headers"][0]["after"]) == ("502", None)


def test_only_ended_calls_of_one_app_are_compared(fn: Api) -> None:
    shared.add_live(fn.database, "other", "function")
    with worker(fn):
        one, other = (fn.post(f"/api/apps/{app}/invoke").json["id"] for app in ("fn", "other"))
    waiting = call(fn, headers=ASYNC).json["execution"]
    answers = [fn.get(f"/api/invocations/{one}/comparison/{each}") for each in (other, waiting, 999)]
    assert [answer.status_code for answer in answers] == [422, 409, 404]
