"""Fencing: a worker that has lost the lease of a job cannot write any more, whatever the worker believes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, text

from norn_tasks.domain.errors import LeaseLost
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Fence, JobClass, JobState
from norn_tasks.domain.jobs.step import StepEnd, StepPosition, StepState
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue import step_logs
from norn_tasks.store.queue.leases import renew
from norn_tasks.store.queue.sweeper import sweep
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from norn_tasks.store.tables import EventRow, FunctionExecutionRow, JobRow, StepLogRow
from tests import factories

PLACE = StepPosition(1, "clone-source")


def _stolen(database: Database) -> tuple[Job, Job]:
    """Returns one job twice: as its first owner knows it, and as the second owner does, who took it over."""
    with database.transaction() as tx:
        factories.add_job(tx)
    first = factories.claim(database, "w1", lease=0.001)
    sweep(database, max_claims=5)
    return first, factories.claim(database, "w2")


WRITES: list[Callable[[Ledger, Fence], object]] = [
    lambda ledger, fence: ledger.begin_step(fence, PLACE, None),
    lambda ledger, fence: ledger.end_step(fence, PLACE, StepEnd(StepState.SUCCEEDED)),
    lambda ledger, fence: ledger.record_container(fence, factories.container("c1")),
    lambda ledger, fence: ledger.begin_code(fence, 0),
    lambda ledger, fence: ledger.take_back_run(fence),
    lambda ledger, fence: ledger.finish(fence, JobState.SUCCEEDED),
    lambda ledger, fence: ledger.hand_back(fence, adopt=False),
    lambda ledger, fence: ledger.check(fence),
    lambda ledger, fence: ledger.plan(fence, []),
]


@pytest.mark.parametrize("write", WRITES, ids=range(len(WRITES)))
def test_a_fallen_fence_lets_nothing_through(database: Database, write: Callable[[Ledger, Fence], object]) -> None:
    first, second = _stolen(database)
    with pytest.raises(LeaseLost):
        write(Ledger(database, patience=0), first.fence)
    Ledger(database, patience=0).check(second.fence)


def test_every_write_of_the_ledger_is_covered_here() -> None:
    public = {name for name in vars(Ledger) if not name.startswith("_")} - {"steps"}
    assert len(WRITES) == len(public)


def test_a_fallen_fence_adds_no_output(database: Database) -> None:
    first, _ = _stolen(database)
    with database.transaction() as tx:
        step_logs.append(tx, first.fence, "clone-source", 1, "from the dead")
        assert tx.scalars(select(StepLogRow.chunk)).all() == []


def test_a_heartbeat_renews_only_what_is_still_held(database: Database) -> None:
    first, second = _stolen(database)
    with database.transaction() as tx:
        beats = renew(tx, [first.fence, second.fence], 30)
    assert list(beats) == [second.fence]


def test_a_heartbeat_does_not_outlive_its_job(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_job(tx)
    job = factories.claim(database)
    Ledger(database, patience=0).finish(job.fence, JobState.SUCCEEDED)
    with database.transaction() as tx:
        assert renew(tx, [job.fence], 30) == {}


def test_an_ended_job_is_not_ended_again(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_job(tx)
    job = factories.claim(database)
    ledger = Ledger(database, patience=0)
    ledger.finish(job.fence, JobState.SUCCEEDED)
    with pytest.raises(LeaseLost):
        ledger.finish(job.fence, JobState.FAILED)
    with database.transaction() as tx:
        assert tx.scalar(select(JobRow.state)) == "succeeded"


def test_a_begin_whose_answer_was_lost_counts_once(database: Database) -> None:
    """The connection breaks after the commit, and the owner repeats the call."""
    factories.add_live(database, "fn")
    with database.transaction() as tx:
        runs.accept_call(tx, releases.require_live(tx, "fn"), Call(), sync=False, actor="test", patience=60)
    job = factories.claim(database, job_class=JobClass.INVOKE)
    for _ in range(2):
        Ledger(database, patience=0).begin_code(job.fence, job.required_execution().runs)
    with database.transaction() as tx:
        told = tx.execute(
            select(JobRow.runs, FunctionExecutionRow.attempt).join(
                FunctionExecutionRow, FunctionExecutionRow.job_id == JobRow.id
            )
        )
        assert told.one() == (1, 1)


def test_leases_follow_the_clock_of_the_database(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_job(tx)
    factories.claim(database, lease=30)
    with database.transaction() as tx:
        left = tx.scalar(text("SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 FROM jobs"))
    assert left is not None
    assert 25 < left <= 30


def test_events_of_a_job_are_numbered_without_gaps(database: Database) -> None:
    _, second = _stolen(database)
    ledger = Ledger(database, patience=0)
    ledger.begin_step(second.fence, PLACE, None)
    ledger.end_step(second.fence, PLACE, StepEnd(StepState.SUCCEEDED, ends=JobState.SUCCEEDED))
    with database.transaction() as tx:
        numbers = tx.scalars(select(EventRow.seq).where(EventRow.job_id == second.id).order_by(EventRow.id)).all()
    assert list(numbers) == list(range(1, len(numbers) + 1))
