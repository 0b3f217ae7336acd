"""The claim of several runs at once: it takes exactly the jobs that single claims would take one after the other."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text

from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import memory
from norn_tasks.store.ledger.claims_together import claim_together
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take, take_together
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from norn_tasks.worker.shares import Shares
from tests import factories

CLAIMER = factories.claimer(job_class=JobClass.INVOKE)


def _free(_kind: JobKind, _app: str) -> bool:
    return True


def _calls(database: Database, app: str, *syncs: bool) -> None:
    with database.transaction() as tx:
        live = releases.require_live(tx, app)
        for sync in syncs:
            runs.accept_call(tx, live, Call(), sync=sync, actor="test", patience=60)


def _together(database: Database, count: int) -> list[Job]:
    return list(take_together(database, CLAIMER, count, _free).jobs)


class _Undone(Exception):
    """Raised to roll back the transaction in which a test has claimed."""


def _would_take(database: Database, count: int) -> set[int]:
    """Returns the jobs that a claim of `count` jobs would take now; claims none of them."""
    seen: set[int] = set()
    try:
        with database.transaction() as tx:
            seen = {row["id"] for row in claim_together(tx, CLAIMER, count, _free).rows}
            raise _Undone
    except _Undone:
        return seen


def _apps(database: Database, **at_once: int) -> None:
    for app, count in at_once.items():
        factories.add_live(database, app, at_once=count)


@pytest.mark.parametrize("count", [2, 3, 5, 8, 20])
def test_it_takes_the_jobs_that_single_claims_take(database: Database, count: int) -> None:
    _apps(database, busy=6, flood=8, small=1, quiet=4)
    _calls(database, "busy", False, False, False)
    for _ in range(3):
        factories.claim(database, job_class=JobClass.INVOKE)
    _calls(database, "flood", *[False] * 10, True, False, True)
    _calls(database, "small", False, False)
    _calls(database, "busy", False, True, False)
    _calls(database, "quiet", True, False, True)
    together = _would_take(database, count)
    singles = [take(database, CLAIMER) for _ in range(count)]
    assert together == {job.id for job in singles if job is not None}


def test_each_has_a_slot_and_a_token_of_its_own(database: Database) -> None:
    _apps(database, one=3, two=3)
    _calls(database, "one", *[False] * 5)
    _calls(database, "two", *[False] * 5)
    jobs = _together(database, 10)
    assert Counter(job.app for job in jobs) == {"one": 3, "two": 3}
    assert len({job.fence.token for job in jobs}) == 6
    with database.transaction() as tx:
        held = tx.execute(text("SELECT job_id, app FROM slots WHERE job_id IS NOT NULL"))
        assert {(row.job_id, row.app) for row in held} == {(job.id, job.app) for job in jobs}


def test_each_has_its_own_call(database: Database) -> None:
    _apps(database, fn=4)
    with database.transaction() as tx:
        live = releases.require_live(tx, "fn")
        accepted = {
            runs.accept_call(
                tx, live, Call("POST", f"/{n}", "", {}, "", b"x"), sync=False, actor="test", patience=60
            ).job: f"/{n}"
            for n in range(4)
        }  # fmt: skip
    called = {job.id: job.required_execution().call for job in _together(database, 4)}
    assert {job: call.path for job, call in called.items() if call is not None} == accepted


def test_many_workers_at_once_take_each_job_once_and_never_more_than_the_slots(database: Database) -> None:
    apps = {f"fn-{n}": 3 for n in range(4)}
    _apps(database, **apps)
    for app in apps:
        _calls(database, app, *[False] * 40)
    seen: list[int] = []
    most: list[int] = []
    ledger = Ledger(database, patience=5)

    def work(_: int) -> None:
        while len(seen) < 160:
            jobs = _together(database, 4)
            seen.extend(job.id for job in jobs)
            with database.transaction() as tx:
                running = "SELECT max(n) FROM (SELECT count(*) n FROM jobs WHERE state = 'running' GROUP BY app) x"
                most.append(tx.scalar(text(running)) or 0)
            for job in jobs:
                ledger.finish(job.fence, JobState.SUCCEEDED)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert (len(seen), len(set(seen))) == (160, 160)
    assert max(most) <= 3


def test_what_another_claim_has_locked_is_passed_over(database: Database) -> None:
    _apps(database, fn=8)
    _calls(database, "fn", *[False] * 6)
    with database.transaction() as tx:
        first = {row["id"] for row in claim_together(tx, CLAIMER, 3, _free).rows}
        second = {job.id for job in _together(database, 3)}
    assert (len(first), len(second), first & second) == (3, 3, set())


def test_memory_is_counted_job_by_job(database: Database) -> None:
    _apps(database, fn=8)
    _calls(database, "fn", *[False] * 8)
    with database.transaction() as tx:
        size = tx.scalar(text("SELECT max(memory) FROM jobs"))
        memory.speak(tx, factories.ENGINE, 3 * size, 0)
    assert len(_together(database, 8)) == 3
    with database.transaction() as tx:
        assert tx.scalar(text("SELECT free FROM engine_room")) == 0
        assert tx.scalar(text("SELECT count(*) FROM memory_held")) == 3


def test_if_the_memory_was_taken_in_between_none_is_taken(database: Database) -> None:
    _apps(database, fn=8)
    _calls(database, "fn", *[False] * 4)
    with database.transaction() as tx:
        size = tx.scalar(text("SELECT max(memory) FROM jobs"))
        memory.speak(tx, factories.ENGINE, 3 * size, 0)
        rows = claim_together(tx, CLAIMER, 3, _free).rows
        taken = "INSERT INTO memory_held(job_id, engine, bytes) VALUES (0, :engine, :size)"
        tx.execute(text(taken), {"engine": factories.ENGINE, "size": size})
        assert not memory.hold_together(tx, rows, factories.ENGINE)
        assert tx.scalar(text("SELECT count(*) FROM memory_held")) == 1


def test_an_app_gets_no_more_than_its_share_of_the_worker(database: Database) -> None:
    _apps(database, flood=8, quiet=8)
    _calls(database, "flood", *[False] * 8)
    shares = Shares(JobClass.INVOKE, 4)

    def enter(kind: JobKind, app: str) -> bool:
        return shares.enter(kind, app, adopts=False)

    assert len(take_together(database, CLAIMER, 4, enter).jobs) == 3
    _calls(database, "quiet", False)
    more = take_together(database, replace(CLAIMER, full=shares.full()), 4, enter)
    assert [job.app for job in more.jobs] == ["quiet"]


def test_a_job_that_kept_its_slot_is_left_to_a_single_claim(database: Database) -> None:
    _apps(database, fn=4)
    _calls(database, "fn", False, False)
    kept = factories.claim(database, job_class=JobClass.INVOKE)
    Ledger(database, patience=0).hand_back(kept.fence, adopt=True)
    assert _together(database, 2) == []
    assert factories.claim(database, job_class=JobClass.INVOKE).id == kept.id
    assert len(_together(database, 2)) == 1


def test_nothing_due_is_said_so(database: Database) -> None:
    _apps(database, fn=1)
    assert take_together(database, CLAIMER, 4, _free).due is False
