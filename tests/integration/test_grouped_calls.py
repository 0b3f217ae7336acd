"""Asynchronous calls that arrive together are accepted in one transaction, with the same rows as single calls, and no
call fails because of another.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from norn_tasks import dispatch
from norn_tasks.dispatch import Intake
from norn_tasks.dispatch.calls.groups import UncountedPlaces
from norn_tasks.domain.errors import Unconfirmed
from norn_tasks.domain.jobs.call import Call
from norn_tasks.store.apps import registry
from norn_tasks.store.apps.registry import LiveFunction
from norn_tasks.store.database.bounded import BriefDatabase
from norn_tasks.store.database.session import Database
from tests import factories
from tests.integration.slow_commits import commits_take

CALLS = 12
_CALL = Call("PUT", "/a b", "q=1&q=2", {"x-one": 'é"'}, "text/plain", b"\0\xff'")
_ROWS = """
SELECT to_jsonb(j) - ARRAY['id', 'execution', 'run_after', 'deadline', 'created_at'] AS job,
       j.deadline - j.run_after AS patience, to_jsonb(x) - ARRAY['id', 'job_id', 'created_at'] AS call,
       (SELECT array_agg(to_jsonb(i) - 'execution') FROM execution_io i WHERE i.execution = j.execution) AS bytes,
       (SELECT array_agg(to_jsonb(e) - ARRAY['id', 'job_id', 'xact', 'at', 'created_at']) FROM events e
         WHERE e.job_id = j.id) AS events
  FROM jobs j JOIN func_executions x ON x.id = j.execution AND x.job_id = j.id ORDER BY j.id"""


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CALLS) as pool:
        yield pool


def _known(database: Database) -> LiveFunction:
    with database.transaction() as tx:
        found = registry.live_function(tx, "fn")
    assert found is not None
    return found


def _accept(intake: Intake, known: LiveFunction | None, call: Call = _CALL, holder: str = "") -> dispatch.Accepted:
    if known is None:
        return dispatch.request_invoke(intake, "fn", call=call, sync=False, actor="ann", holder=holder)
    return dispatch.request_grouped_invoke(intake, "fn", known, call=call, actor="ann", holder=holder)


def _rows(database: Database, query: str = _ROWS) -> list[Any]:
    with database.transaction() as tx:
        return [dict(row) for row in tx.execute(text(query)).mappings()]


def _transactions(database: Database) -> int:
    return int(_rows(database, "SELECT count(DISTINCT xmin::text) AS n FROM jobs")[0]["n"])


def test_calls_that_arrive_together_share_a_transaction(database: Database, threads: ThreadPoolExecutor) -> None:
    factories.add_live(database, "fn")
    intake, known = factories.intake(database), _known(database)
    _accept(intake, known)  # accepted alone: this first call counts the waiting calls
    with commits_take(database, "jobs", seconds=0.3):
        made = [each.result() for each in [threads.submit(_accept, intake, known) for _ in range(CALLS)]]
    ids = {(row["id"], row["execution"]) for row in _rows(database, "SELECT id, execution FROM jobs")}
    assert len(ids) == CALLS + 1
    assert ids >= {(each.job, each.execution) for each in made}
    assert _transactions(database) <= 1 + CALLS // 2


def test_a_call_of_a_group_has_the_rows_of_a_call_alone(database: Database) -> None:
    factories.add_live(database, "fn", more="retries: {max: 2}\nfunction: {record: meta}\n")
    intake, known = factories.intake(database), _known(database)
    _accept(intake, None)
    _accept(intake, known)
    alone, grouped = _rows(database)
    assert alone == grouped
    assert (alone["job"]["max_runs"], alone["call"]["record"], len(alone["events"])) == (3, "meta", 1)


def test_a_call_that_cannot_be_written_fails_alone(database: Database, threads: ThreadPoolExecutor) -> None:
    factories.add_live(database, "fn")
    intake, known = factories.intake(database), _known(database)
    _accept(intake, known)  # accepted alone: this first call counts the waiting calls
    bad = Call("POST", "/\ud800")
    with commits_take(database, "jobs", seconds=0.3):
        first = threads.submit(_accept, intake, known)
        wrong: list[Future[Any]] = [threads.submit(_accept, intake, known, bad) for _ in range(2)]
        good = [threads.submit(_accept, intake, known) for _ in range(4)]
        jobs = {each.result().job for each in (first, *good)}
    assert len(jobs) == 5
    assert [type(each.exception()) for each in wrong] == [UnicodeEncodeError] * 2
    assert len(_rows(database)) == 6


def test_a_deploy_in_between_is_seen(database: Database) -> None:
    wanted = factories.add_live(database, "fn")
    intake, known = factories.intake(database), _known(database)
    _accept(intake, known)  # accepted alone: this first call counts the waiting calls
    with database.transaction() as tx:
        factories.add_release(tx, wanted, 2)
    _accept(intake, known)
    assert [row["job"]["release"] for row in _rows(database)] == [1, 2]


def test_a_commit_that_was_not_heard_of_is_unconfirmed_for_all(
    database_url: str, database: Database, threads: ThreadPoolExecutor
) -> None:
    factories.add_live(database, "fn")
    brief = BriefDatabase(database_url, seconds=1.0)
    intake, known = factories.intake(brief), _known(database)
    _accept(intake, known)  # accepted alone: this first call counts the waiting calls
    with commits_take(database, "jobs", seconds=2.0):
        asked = [threads.submit(_accept, intake, known) for _ in range(3)]
        errors = [type(each.exception()) for each in asked]
    brief.dispose()
    assert Unconfirmed in errors
    assert None not in errors


def test_a_full_queue_refuses_calls_of_a_group(database: Database, threads: ThreadPoolExecutor) -> None:
    factories.add_live(database, "fn")
    intake, known = factories.intake(database, async_waiting=5), _known(database)
    asked = [threads.submit(_accept, intake, known) for _ in range(CALLS)]
    refused = [each.exception() for each in asked if each.exception() is not None]
    assert (len(refused), len(_rows(database))) == (CALLS - 5, 5)
    assert {getattr(each, "code", "") for each in refused} == {"queue_full"}


def test_count_lasts_for_its_part_and_for_a_second() -> None:
    now = [0.0]
    places = UncountedPlaces(lambda: now[0])
    assert not places.take("fn", "")
    places.allow("fn", "", 64)
    assert [places.take("fn", "") for _ in range(3)] == [True, True, False]
    places.allow("fn", "", 6400)
    assert places.take("fn", "")
    assert not places.take("fn", "ann"), "nobody counted the calls of ann"
    places.allow("fn", "ann", 32)
    assert [places.take("fn", "ann") for _ in range(2)] == [True, False]
    now[0] = 1.1
    assert not places.take("fn", "")
