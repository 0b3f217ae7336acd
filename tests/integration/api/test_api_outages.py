"""A slow or unreachable database: an error says only what is true, and an accepted call gets its result."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.store.database.bounded import BriefDatabase
from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api, add_worker
from tests.integration.api.test_api_functions import call, worker
from tests.integration.slow_commits import commits_take
from tests.servers import Broker, Postgres, wait_until


@pytest.fixture
def brief(database: Database, broker: Broker) -> Iterator[Api]:
    """An application with a short limit for its database, with a function `fn` and a worker for its calls."""
    shared.add_live(database, "fn", "function", "function:\n  timeout: 20\n  maxBody: 1MiB\n")
    add_worker(database)
    briefly = BriefDatabase(database.url, seconds=1.0)
    api = factories.api(briefly, broker.url)
    yield api
    api.services.close()
    briefly.dispose()


def _calls(database: Database) -> int:
    with database.transaction() as tx:
        return int(tx.scalar(text("SELECT count(*) FROM func_executions")) or 0)


def test_call_whose_acceptance_is_not_confirmed_is_no_503(brief: Api, database: Database) -> None:
    with commits_take(database, "jobs", seconds=2.0):
        answer = call(brief, headers={"Prefer": "respond-async"})
        assert (answer.status_code, answer.json["code"]) == (504, "unconfirmed")
        assert "retry_after" not in answer.json and "Retry-After" not in answer.headers
        wait_until(lambda: _calls(database) == 1, 10, "the call was accepted after all")


def test_accepted_call_gets_its_answer_through_an_outage(brief: Api, database: Database, postgres: Postgres) -> None:
    answers: list[TestResponse] = []
    caller = threading.Thread(target=lambda: answers.append(call(brief)))
    caller.start()
    wait_until(lambda: _calls(database) == 1, 10, "the call was accepted")
    with postgres.away(database.url):
        caller.join(4)
    database.dispose()
    with worker(Api(brief.app, database)):
        caller.join(20)
    assert [(answer.status_code, answer.data) for answer in answers] == [(200, b"hello")]


def test_cancel_that_was_done_is_no_503_when_its_answer_cannot_be_read(brief: Api, database: Database) -> None:
    with database.transaction() as tx:
        shared.add_app(tx, shared.spec("blog", "webserver"))
        job = shared.add_job(tx, JobKind.OBSERVE)
    with database.transaction() as tx:
        tx.execute(text("LOCK TABLE steps IN ACCESS EXCLUSIVE MODE"))
        answer = brief.post(f"/api/jobs/{job}/cancel", json={})
    assert (answer.status_code, answer.json["code"]) == (504, "unconfirmed")
    assert brief.get(f"/api/jobs/{job}").json["state"] == "cancelled"


def test_call_that_nobody_began_in_its_time_can_begin_no_more(brief: Api, database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(text("UPDATE releases SET spec = jsonb_set(spec, '{function,timeout}', '1') WHERE app = 'fn'"))
    answer = call(brief)
    assert (answer.status_code, answer.json["code"]) == (429, "no_capacity")
    assert brief.get(f"/api/invocations/{answer.json['execution']}").json["cause"] == "expired"


def test_large_bodies_take_turns_and_small_ones_need_none(brief: Api) -> None:
    places = [brief.services.bodies.take(0) for _ in range(brief.services.bodies.count)]
    large: list[TestResponse] = []
    caller = threading.Thread(
        target=lambda: large.append(call(brief, data=b"x" * 500_000, headers={"Prefer": "respond-async"}))
    )
    caller.start()
    assert call(brief, data=b"x" * 1000, headers={"Prefer": "respond-async"}).status_code == 202
    assert large == []
    places[0]()
    caller.join(10)
    assert [answer.status_code for answer in large] == [202]
    for give_back in places[1:]:
        give_back()
