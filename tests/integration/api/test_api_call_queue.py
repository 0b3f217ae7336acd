"""The queue of a function: a call that finds the queue full is refused immediately and leaves nothing behind."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api, add_worker
from tests.servers import Broker, wait_until

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def fn(database: Database, broker: Broker) -> Api:
    """An application with two functions, in whose queues four synchronous and four asynchronous calls may wait."""
    api = factories.api(database, broker.url, calls_waiting=4, async_waiting=4)
    for name in ("fn", "other"):
        shared.add_live(database, name, "function", "function:\n  timeout: 3\n")
    add_worker(database)
    return api


def _waiting(api: Api) -> int:
    return len(api.get("/api/apps/fn/function/history").json["items"])


def test_calls_that_come_at_once_are_never_more_than_the_queue_takes(fn: Api) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: fn.post("/fn/fn", headers=ASYNC), range(12)))
    assert sorted(answer.status_code for answer in answers) == [202] * 4 + [429] * 8
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert (refused.json["code"], int(refused.headers["Retry-After"]) > 0) == ("queue_full", True)
    assert (_waiting(fn), "NORN_ASYNC_WAITING" in refused.json["hint"]) == (4, True)


def test_synchronous_calls_have_a_queue_of_their_own_and_so_has_each_function(fn: Api) -> None:
    for _ in range(4):
        fn.post("/fn/fn", headers=ASYNC)
    callers = [threading.Thread(target=lambda: fn.post("/fn/fn")) for _ in range(4)]
    for caller in callers:
        caller.start()
    wait_until(lambda: _waiting(fn) == 8, 5, "four calls wait beside the asynchronous ones")
    answer = fn.post("/fn/fn")
    assert (answer.status_code, answer.json["code"], "Retry-After" in answer.headers) == (429, "queue_full", True)
    assert fn.post("/fn/other", headers=ASYNC).status_code == 202
    fn.services.closing.set()
    for caller in callers:
        caller.join()


def test_call_that_begins_leaves_its_place_to_another(fn: Api) -> None:
    for _ in range(4):
        fn.post("/fn/fn", headers=ASYNC)
    shared.claim(fn.database, job_class=JobClass.INVOKE)
    assert [fn.post("/fn/fn", headers=ASYNC).status_code for _ in range(2)] == [202, 429]


def test_one_token_leaves_half_of_the_queue_to_others(fn: Api) -> None:
    one = fn.asked_as(Scope.INVOKE)
    assert [one.post("/fn/fn", headers=ASYNC).status_code for _ in range(3)] == [202, 202, 429]
    assert [fn.post("/fn/fn", headers=ASYNC).status_code for _ in range(3)] == [202, 202, 429]


def test_call_that_is_repeated_with_its_key_is_not_refused(fn: Api) -> None:
    keyed = {"Idempotency-Key": "one", **ASYNC}
    first = fn.post("/fn/fn", headers=keyed).json["job"]
    for _ in range(3):
        fn.post("/fn/fn", headers=ASYNC)
    assert fn.post("/fn/fn", headers=keyed).json["job"] == first
