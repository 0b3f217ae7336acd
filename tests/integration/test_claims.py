"""Claiming: every job goes to exactly one worker; changes of an app run in order; runs stay within their limits and are
shared fairly between apps.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select, text, update

from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue import readiness, slots
from norn_tasks.store.queue.claims import LOOKED_AT
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from norn_tasks.store.tables import JobRow, SlotRow
from tests import factories

THREADS = 16


def _work_off(database: Database, job_class: JobClass, seen: list[Job], count: int) -> None:
    """Claims and ends jobs from many threads until all have ended."""
    ledger = Ledger(database, patience=5)
    lock = threading.Lock()

    def worker(name: str) -> None:
        while len(seen) < count:
            job = take(database, factories.claimer(name, job_class))
            if job is None:
                continue
            with lock:
                seen.append(job)
            ledger.finish(job.fence, JobState.SUCCEEDED)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(worker, [f"w{n}" for n in range(THREADS)]))


def test_exclusive_jobs_are_claimed_once_and_in_order_of_acceptance(database: Database) -> None:
    with database.transaction() as tx:
        for n in range(200):
            factories.add_job(tx, app=f"app-{n % 20}")
    seen: list[Job] = []
    _work_off(database, JobClass.DEPLOY, seen, 200)
    assert max(Counter(job.id for job in seen).values()) == 1
    by_app = defaultdict(list)
    for job in seen:
        by_app[job.app].append(job.id)
    assert all(ids == sorted(ids) for ids in by_app.values())


def test_a_later_claim_has_the_higher_token_whatever_the_job(database: Database) -> None:
    with database.transaction() as tx:
        for n in range(10):
            factories.add_job(tx, app=f"app-{n}")
    tokens = [factories.claim(database).fence.token for _ in range(10)]
    assert tokens == sorted(set(tokens))


def _add_calls(database: Database, app: str, count: int) -> None:
    with database.transaction() as tx:
        release = releases.require_live(tx, app)
        for _ in range(count):
            runs.accept_call(tx, release, Call(), sync=False, actor="test", patience=60)


def test_slotted_jobs_are_claimed_once_and_all(database: Database) -> None:
    for n in range(10):
        factories.add_live(database, f"fn-{n}", at_once=2)
        _add_calls(database, f"fn-{n}", 30)
    seen: list[Job] = []
    _work_off(database, JobClass.INVOKE, seen, 300)
    assert max(Counter(job.id for job in seen).values()) == 1


def test_an_app_never_runs_more_than_its_slots(database: Database) -> None:
    factories.add_live(database, "fn", at_once=3)
    _add_calls(database, "fn", 10)
    with ThreadPoolExecutor(10) as pool:
        taken = list(pool.map(lambda n: take(database, factories.claimer(f"w{n}", JobClass.INVOKE)), range(10)))
    assert len([job for job in taken if job is not None]) == 3


def test_the_app_with_the_fewest_running_goes_first(database: Database) -> None:
    factories.add_live(database, "busy", at_once=4)
    factories.add_live(database, "quiet", at_once=4)
    _add_calls(database, "busy", 8)
    _add_calls(database, "quiet", 1)
    order = [factories.claim(database, job_class=JobClass.INVOKE).app for _ in range(3)]
    assert order == ["busy", "quiet", "busy"]


def test_a_quiet_app_goes_first_behind_a_flood_that_a_claim_does_not_read_to_its_end(database: Database) -> None:
    factories.add_live(database, "flood", at_once=4)
    factories.add_live(database, "quiet", at_once=4)
    _add_calls(database, "flood", 3 * LOOKED_AT)
    _add_calls(database, "quiet", 1)
    order = [factories.claim(database, job_class=JobClass.INVOKE).app for _ in range(3)]
    assert order == ["flood", "quiet", "flood"]


def test_of_more_apps_than_a_claim_compares_each_gets_its_turn(database: Database) -> None:
    apps = [f"fn-{n:03}" for n in range(3 * LOOKED_AT)]
    for app in apps:
        factories.add_live(database, app, at_once=1)
        _add_calls(database, app, 2)
    taken = [factories.claim(database, job_class=JobClass.INVOKE).app for _ in apps]
    assert sorted(taken) == apps


def test_a_slot_is_free_again_when_its_job_has_ended(database: Database) -> None:
    factories.add_live(database, "fn", at_once=1)
    _add_calls(database, "fn", 2)
    first = factories.claim(database, job_class=JobClass.INVOKE)
    assert take(database, factories.claimer(job_class=JobClass.INVOKE)) is None
    Ledger(database, patience=1).finish(first.fence, JobState.SUCCEEDED)
    assert factories.claim(database, job_class=JobClass.INVOKE).id != first.id


def test_a_worker_of_another_engine_leaves_pinned_jobs(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, engine="engine-2")
    assert take(database, factories.claimer()) is None


def test_no_slot_is_held_when_nothing_runs(database: Database) -> None:
    factories.add_live(database, "fn", at_once=2)
    _add_calls(database, "fn", 20)
    _work_off(database, JobClass.INVOKE, [], 20)
    with database.transaction() as tx:
        held = tx.scalar(select(func.count()).select_from(SlotRow).where(SlotRow.job_id.is_not(None)))
        left = tx.scalar(select(func.count()).select_from(JobRow).where(JobRow.state != "succeeded"))
    assert (held, left) == (0, 0)


def test_kinds_wait_in_their_own_class(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_job(tx, kind=JobKind.OBSERVE, app="")
    assert take(database, factories.claimer()) is None
    assert factories.claim(database, job_class=JobClass.OBSERVE).kind is JobKind.OBSERVE


def test_what_should_have_begun_by_now_is_left_to_the_sweeper(database: Database) -> None:
    with database.transaction() as tx:
        late, good = (factories.add_job(tx, app=app) for app in ("one", "two"))
        tx.execute(update(JobRow).where(JobRow.id == late).values(deadline=text("clock_timestamp() - interval '1 s'")))
    assert factories.claim(database).id == good
    assert take(database, factories.claimer()) is None


def test_a_job_that_says_what_nobody_can_run_ends_and_holds_nobody_up(database: Database) -> None:
    with database.transaction() as tx:
        spec = factories.spec("one").frozen()
        broken = factories.add_job(tx, app="one", spec=spec | {"env": {"KEY": "a\rb"}})
        good = factories.add_job(tx, app="two", spec=spec | {"app": "two"})
    assert factories.claim(database).id == good
    with database.transaction() as tx:
        row = tx.execute(select(JobRow).where(JobRow.id == broken)).one()
    assert (row.state, row.error["code"], row.claims) == ("error", "spec_invalid", 1)


def _running(database: Database, at_once: int, calls: int) -> list[Job]:
    """Makes a function with `at_once` slots and `calls` calls, and claims one call for each slot; returns the claimed
    jobs.
    """
    factories.add_live(database, "fn", at_once=at_once)
    with database.transaction() as tx:
        live = releases.require_live(tx, "fn")
        for _ in range(calls):
            runs.accept_call(tx, live, Call(), sync=False, actor="test", patience=60)
    return [factories.claim(database, job_class=JobClass.INVOKE) for _ in range(at_once)]


def test_an_app_that_has_fewer_slots_by_now_runs_no_more_at_once(database: Database) -> None:
    running = _running(database, at_once=4, calls=8)
    with database.transaction() as tx:
        slots.resize(tx, JobClass.INVOKE, "fn", 1)
        waiting = readiness.startable(tx)
    ledger, most = Ledger(database, patience=0), []
    for job in running:
        ledger.finish(job.fence, JobState.SUCCEEDED)
        take(database, factories.claimer(job_class=JobClass.INVOKE))
        with database.transaction() as tx:
            most.append(tx.scalar(select(func.count(SlotRow.job_id))))
    with database.transaction() as tx:
        there = tx.scalar(select(func.count()).select_from(SlotRow))
    assert (waiting, most, there) == ([], [3, 2, 1, 1], 1)


def test_an_app_that_has_more_slots_again_keeps_those_it_had(database: Database) -> None:
    running = _running(database, at_once=2, calls=2)
    for count in (1, 2):
        with database.transaction() as tx:
            slots.resize(tx, JobClass.INVOKE, "fn", count)
    for job in running:
        Ledger(database, patience=0).finish(job.fence, JobState.SUCCEEDED)
    with database.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(SlotRow)) == 2
