"""Only one build runs at a time per engine, also when workers die. A build that must wait goes back to the queue, and
each app gets its turn.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import Postponed, Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence, JobKind, JobState, Problem
from norn_tasks.domain.jobs.step import StepPosition
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue import builds, jobs_read
from norn_tasks.store_adapters.build_queue import BuildQueueRows
from tests import factories
from tests.fakes.stop import FakeWatch


def building(database: Database, app: str) -> Fence:
    """Makes a deploy whose step build-image runs."""
    with database.transaction() as tx:
        factories.add_job(tx, JobKind.DEPLOY, app)
    job = factories.claim(database)
    Ledger(database, patience=5).begin_step(job.fence, StepPosition(2, "build-image"), None)
    return job.fence


def ask(database: Database, fence: Fence, engine: str = factories.ENGINE) -> str | None:
    """Requests the turn to build for a deploy; returns the app that has the turn instead, None if the deploy got it."""
    with database.transaction() as tx:
        held = builds.take(tx, engine, fence)
    return held.app if held else None


def leave(database: Database, fence: Fence) -> None:
    with database.transaction() as tx:
        builds.leave(tx, fence)


def hand_back(database: Database, fence: Fence) -> None:
    Ledger(database, patience=5).hand_back(fence, adopt=False, postponed=True)


def next_job(database: Database, engine: str = factories.ENGINE) -> Job | None:
    claimer = factories.claimer()
    return take(database, replace(claimer, engine=engine, capabilities=factories.capabilities(engine)))


def test_a_job_that_finds_the_turn_taken_is_claimed_again_when_it_is_free(database: Database) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    assert (ask(database, one), ask(database, two)) == (None, "a")
    hand_back(database, two)
    assert next_job(database) is None
    leave(database, one)
    again = next_job(database)
    assert again is not None and (again.id, again.claims) == (two.job, 1)
    assert ask(database, again.fence) is None


def test_a_job_that_waits_for_its_turn_has_not_begun_the_step_and_says_so(database: Database) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    ask(database, one)
    ask(database, two)
    hand_back(database, two)
    with database.transaction() as tx:
        job = jobs_read.get(tx, two.job)
        assert job.waits == f"waits for the build of a (job {one.job}) to end: one build at a time per engine"
        assert jobs_read.steps(tx, job) == ()


def test_another_engine_has_a_turn_of_its_own(database: Database) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    assert (ask(database, one), ask(database, two, "e2")) == (None, None)


def test_a_job_that_waits_builds_on_another_engine_whose_turn_is_free(database: Database) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    ask(database, one)
    ask(database, two)
    hand_back(database, two)
    again = next_job(database, "e2")
    assert again is not None and again.id == two.job


def test_other_changes_do_not_wait_for_a_turn(database: Database) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    ask(database, one)
    ask(database, two)
    hand_back(database, two)
    with database.transaction() as tx:
        rollback = factories.add_job(tx, JobKind.ROLLBACK, "c")
    job = next_job(database)
    assert job is not None and job.id == rollback


@pytest.mark.parametrize("change", ["state = 'queued'", "lease_token = 999999", "state = 'failed'"])
def test_a_build_that_lost_its_job_blocks_nobody(database: Database, change: str) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    ask(database, one)
    with database.transaction() as tx:
        tx.execute(text(f"UPDATE jobs SET {change} WHERE id = :id"), {"id": one.job})
    assert ask(database, two) is None


def test_an_app_that_was_just_deployed_goes_behind_the_apps_that_waited_for_that(database: Database) -> None:
    """This holds even if its next deploy was accepted before theirs."""
    with database.transaction() as tx:
        first = factories.add_deploy(tx, "hog")
    hog = factories.claim(database)
    assert hog.id == first
    with database.transaction() as tx:
        waiting = {app: factories.add_deploy(tx, app) for app in ("hog", "one", "two")}
    Ledger(database, patience=5).finish(hog.fence, JobState.FAILED, Problem("build_failed", "it exited 1"))
    order = [factories.claim(database).id for _ in waiting]
    assert order == [waiting[app] for app in ("one", "two", "hog")]


def test_never_two_at_once_and_each_in_the_end(database: Database) -> None:
    """Eight workers take builds from the queue, and put back those that must wait."""
    with database.transaction() as tx:
        waiting = {factories.add_job(tx, JobKind.DEPLOY, f"a{n}") for n in range(8)}
    turns, ledger = BuildQueueRows(database, lambda: factories.ENGINE), Ledger(database, patience=5)
    lock, busy, most, done = threading.Lock(), [0], [0], set[int]()

    def build(fence: Fence) -> None:
        with turns.turn(FakeWatch(job=fence.job, token=fence.token).watch):
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            time.sleep(0.05)
            with lock:
                busy[0] -= 1
        done.add(fence.job)
        ledger.finish(fence, JobState.SUCCEEDED)

    def work() -> None:
        until = time.monotonic() + 60
        while done != waiting and time.monotonic() < until:
            job = next_job(database)
            if job is None:
                time.sleep(0.05)
                continue
            try:
                build(job.fence)
            except Postponed:
                hand_back(database, job.fence)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert (most[0], done) == (1, waiting)


def test_a_turn_that_is_kept_is_still_held_after_the_build_and_left_after_the_next_one(database: Database) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    woken: list[object] = []
    turns, watch = BuildQueueRows(database, lambda: "e1", woken.append), FakeWatch(job=one.job, token=one.token).watch
    with turns.turn(watch, keep=True):
        pass
    assert (ask(database, two, "e1"), woken) == ("a", [])
    with turns.turn(watch):
        pass
    assert (ask(database, two, "e1"), woken) == (None, ["deploy"])


def test_a_stopped_job_takes_no_turn_and_one_that_fails_leaves_it(database: Database) -> None:
    one, two = (building(database, app) for app in ("a", "b"))
    stopped, turns = FakeWatch(job=one.job, token=one.token), BuildQueueRows(database, lambda: "e1")
    stopped.stop.set("cancelled")
    with pytest.raises(Stopped), turns.turn(stopped.watch):
        pass
    with pytest.raises(ZeroDivisionError), turns.turn(FakeWatch(job=two.job, token=two.token).watch, keep=True):
        1 / 0  # noqa: B018
    assert ask(database, one, "e1") is None
