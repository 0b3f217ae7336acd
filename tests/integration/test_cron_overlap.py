"""An occurrence is due while a run of its app has not ended: the decision depends on the run's lease or container, and
not on a flag that could stay set.
"""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select, text

from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.ports import Run
from norn_tasks.store.database.session import Database
from norn_tasks.store.queue import slots
from norn_tasks.store.queue.sweeper import sweep
from norn_tasks.store.tables import AlertRow
from norn_tasks.worker.leases import JobStop
from tests.cron_kit import MINUTE, Cron
from tests.fakes.engine import FakeContainer
from tests.fakes.runtime import Does, FakeRuntime


@pytest.fixture
def cron(database: Database) -> Cron:
    return Cron(database)


def _next(cron: Cron) -> int:
    """Lets a minute pass: the newest occurrence is due again."""
    for moved in ("- interval '1 hour'", "+ interval '59 min'"):  # in two steps, so that no row gets the key of another
        cron.execute(f"UPDATE cron_ticks SET scheduled_for = scheduled_for {moved}")
        cron.execute(f"UPDATE cron_executions SET scheduled_for = scheduled_for {moved}")
    cron.outage("report", MINUTE)
    return cron.round()


def _running(cron: Cron, more: str, *, at_once: int = 1) -> None:
    """Makes an app that runs every minute and whose first run is running."""
    cron.add("report", "* * * * *", more, at_once=at_once)
    assert _next(cron) == 1
    cron.begun(cron.claim())


def test_forbid_skips_and_says_what_runs_since_when(cron: Cron) -> None:
    _running(cron, "concurrency: forbid")
    assert _next(cron) == 0
    (run,) = cron.runs()
    assert cron.verdicts() == [("fired", 1), ("skipped_overlap", 1)]
    assert cron.ticks()[1].reason == f"run {run.id} has been running since {run.begun_at:%Y-%m-%d %H:%M:%S} UTC"


def test_forbid_runs_again_once_the_run_has_ended(cron: Cron) -> None:
    cron.add("report", "* * * * *")
    assert _next(cron) == 1
    cron.ended(cron.claim())
    assert _next(cron) == 1


def test_forbid_is_not_held_by_a_worker_that_died_before_its_container(cron: Cron) -> None:
    """The lease has expired and no container exists: nothing runs, although the row says that the run is running."""
    cron.add("report", "* * * * *")
    assert _next(cron) == 1
    cron.claim()
    cron.execute("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s'")
    assert _next(cron) == 1


def test_forbid_is_held_by_the_container_of_a_worker_that_died(cron: Cron) -> None:
    _running(cron, "concurrency: forbid")
    cron.execute("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s'")
    assert _next(cron) == 0
    assert sweep(cron.database, max_claims=5).moved == 1
    assert _next(cron) == 0
    assert cron.verdicts() == [("fired", 1), ("skipped_overlap", 1), ("skipped_overlap", 1)]


def test_forbid_runs_again_after_an_adopted_run_has_ended(cron: Cron) -> None:
    _running(cron, "concurrency: forbid")
    cron.execute("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s'")
    sweep(cron.database, max_claims=5)
    cron.ended(cron.claim("w2"))
    assert _next(cron) == 1


def test_allow_runs_beside_it(cron: Cron) -> None:
    _running(cron, "concurrency: allow", at_once=16)
    assert _next(cron) == 1
    cron.begun(cron.claim())
    assert [job.state for job in cron.jobs()] == ["running", "running"]


def test_queue_lets_one_wait_and_skips_a_further_one(cron: Cron) -> None:
    _running(cron, "concurrency: queue")
    assert [_next(cron), _next(cron), _next(cron)] == [1, 0, 0]
    assert cron.verdicts() == [("fired", 1), ("fired", 1), ("skipped_overlap", 1), ("skipped_overlap", 1)]


def test_queue_begins_the_waiting_one_when_the_run_has_ended(cron: Cron) -> None:
    cron.add("report", "* * * * *", "concurrency: queue")
    _next(cron)
    first = cron.claim()
    _next(cron)
    cron.ended(first)
    assert cron.claim().required_execution().id == cron.runs()[1].id


def test_replace_asks_the_old_one_to_stop_and_waits_until_it_is_gone(cron: Cron) -> None:
    cron.add("report", "* * * * *", "concurrency: replace")
    _next(cron)
    first = cron.claim()
    cron.begun(first)
    assert _next(cron) == 1
    old, new = cron.jobs()
    assert (old.cancel_by, old.state, new.state) == ("schedule", "running", "queued")
    cron.ended(first, JobState.CANCELLED)
    assert cron.runs()[0].sentence == "the next occurrence took its place (concurrency: replace)"
    assert cron.claim().id == new.id


def test_a_replaced_run_whose_worker_died_is_cancelled_and_alerts_nobody(cron: Cron) -> None:
    _running(cron, "concurrency: replace")
    assert _next(cron) == 1
    cron.execute("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' WHERE state = 'running'")
    sweep(cron.database, max_claims=5)
    assert cron.play(cron.claim("w2"), Does(), FakeRuntime()) is not None  # its container is gone
    assert (cron.jobs()[0].state, cron.runs()[0].state) == ("cancelled", "cancelled")
    assert cron.rows(select(AlertRow)) == []


def test_a_run_that_was_replaced_before_it_began_was_skipped(cron: Cron) -> None:
    cron.add("report", "* * * * *", "concurrency: replace")
    _next(cron)
    cron.claim()
    assert _next(cron) == 1
    cron.execute("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' WHERE state = 'running'")
    sweep(cron.database, max_claims=5)
    assert (cron.ticks()[0].verdict, cron.ticks()[0].reason) == (
        "skipped_overlap",
        "the next occurrence took its place: the worker did not respond, and had not begun the run",
    )


def test_a_cancelled_run_ends_when_the_container_of_its_dead_worker_is_gone(cron: Cron) -> None:
    _running(cron, "concurrency: replace")
    assert _next(cron) == 1
    cron.execute("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' WHERE state = 'running'")
    sweep(cron.database, max_claims=5)
    job, runtime, stop = cron.claim("w2"), FakeRuntime(), JobStop()
    assert job.container is not None
    run = Run("x", "report", "execution:1", "sha256:1", None, {}, timeout=60, memory=2**20, cpus=1)
    runtime.containers[job.container.id] = FakeContainer(job.container.id, run, 1, time.monotonic(), time.monotonic())
    stop.set("cancelled")
    assert (cron.play(job, Does(seconds=60), runtime, stop), runtime.containers) == (JobState.CANCELLED, {})


def test_an_occurrence_past_its_start_deadline_says_who_was_late(cron: Cron) -> None:
    cron.add("report", "* * * * *", "startDeadline: 10m")
    _next(cron)
    cron.execute("UPDATE jobs SET run_after = created_at - interval '18 s', deadline = created_at + interval '2 s'")
    cron.execute("UPDATE jobs SET deadline = clock_timestamp() - interval '1 s'")
    sweep(cron.database, max_claims=5)
    assert cron.ticks()[0].reason == (
        "it could not begin within its startDeadline of 10m: no scheduler decided about it for 18 s, and then "
        "no worker was free to begin it"
    )


def test_replace_moves_what_waits_on_to_the_newest(cron: Cron) -> None:
    _running(cron, "concurrency: replace")
    assert [_next(cron), _next(cron)] == [1, 1]
    assert cron.verdicts() == [("fired", 1), ("skipped_overlap", 1), ("fired", 1)]
    assert len(cron.runs()) == 2


def test_without_a_worker_the_newest_occurrence_waits_and_those_before_it_are_missed(cron: Cron) -> None:
    cron.add("report", "* * * * *")
    assert [_next(cron), _next(cron), _next(cron)] == [1, 1, 1]
    assert cron.verdicts() == [("missed", 1), ("missed", 1), ("fired", 1)]
    assert cron.ticks()[0].reason == "no worker was free to begin it before the next was due"
    (job,), (run,) = cron.jobs(), cron.runs()
    assert (run.scheduled_for, job.execution) == (cron.ticks()[2].scheduled_for, run.id)
    assert (cron.ticks()[2].job_id, cron.ticks()[0].job_id) == (job.id, None)


def test_without_a_worker_catchup_all_keeps_each_waiting(cron: Cron) -> None:
    cron.add("report", "* * * * *", "catchup: all")
    for _ in range(3):
        assert _next(cron) == 1
    assert cron.verdicts() == [("fired", 1)] * 3


def test_without_a_worker_a_start_deadline_makes_it_missed(cron: Cron) -> None:
    cron.add("report", "* * * * *", "startDeadline: 2m")
    assert _next(cron) == 1
    cron.execute("UPDATE jobs SET deadline = clock_timestamp() - interval '1 s'")
    sweep(cron.database, max_claims=5)
    (tick,) = cron.ticks()
    assert (tick.verdict, cron.jobs()[0].state) == ("missed", "expired")


def test_a_worker_that_is_taking_the_run_at_this_moment_counts(cron: Cron) -> None:
    """An open transaction that claims the run has locked its row: the run is about to begin, so it is not moved to the
    next occurrence.
    """
    cron.add("report", "* * * * *")
    _next(cron)
    with cron.database.transaction() as claiming:
        claiming.exec_driver_sql("SELECT * FROM jobs FOR UPDATE")
        assert _next(cron) == 0
    assert cron.verdicts() == [("fired", 1), ("skipped_overlap", 1)]


def test_a_run_that_was_adopted_and_then_cancelled_keeps_its_slot_until_its_container_is_gone(cron: Cron) -> None:
    """The run's worker died and the next occurrence replaces the run: nothing begins while the old container may still
    run.
    """
    cron.add("report", "* * * * *", "concurrency: replace")
    _next(cron)
    cron.begun(cron.claim())
    cron.execute("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s'")
    assert _next(cron) == 1
    sweep(cron.database, max_claims=5)
    sweep(cron.database, max_claims=5)
    old, new = cron.jobs()
    assert (old.state, old.adopt, new.state) == ("queued", True, "queued")
    adopted = cron.claim("w2")
    assert adopted.id == old.id
    cron.ended(adopted, JobState.CANCELLED)
    assert cron.claim("w2").id == new.id


def test_a_run_past_its_start_deadline_holds_nobody_up(cron: Cron) -> None:
    """The sweeper has not ended the run yet, but it counts as expired."""
    cron.add("report", "* * * * *", "startDeadline: 10m")
    assert _next(cron) == 1
    cron.execute("UPDATE jobs SET deadline = clock_timestamp() - interval '1 s'")
    assert _next(cron) == 1
    assert [verdict for verdict, _ in cron.verdicts()] == ["fired", "fired"]


def test_allow_never_says_that_it_stops_what_runs(cron: Cron) -> None:
    """All slots are taken and one run waits. The next occurrence takes the place of the waiting run, which counts as
    missed, not as replaced.
    """
    _running(cron, "concurrency: allow")
    assert (_next(cron), _next(cron)) == (1, 1)
    assert cron.verdicts() == [("fired", 1), ("missed", 1), ("fired", 1)]
    assert cron.ticks()[1].reason == "no worker was free to begin it before the next was due"


def test_replace_is_claimed_alone_also_after_there_were_more_slots(cron: Cron) -> None:
    _running(cron, "concurrency: allow", at_once=3)
    assert _next(cron) == 1
    cron.begun(cron.claim())
    with cron.database.transaction() as tx:
        slots.resize(tx, JobClass.CRON, "report", 1)
    cron.execute("UPDATE jobs SET state = 'succeeded' WHERE id = (SELECT max(job_id) FROM slots)")
    with cron.database.transaction() as tx:
        slots.release(tx, max(row.job_id for row in tx.execute(text("SELECT job_id FROM slots"))))
        assert tx.scalar(text("SELECT count(*) FROM slots")) == 1
