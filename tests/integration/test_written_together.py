"""Several runs begin or end in one statement: each has a fence of its own, and a run whose row is locked delays no
other.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import LeaseLost
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.execution import Captured, ContainerExit, ExecutionState, ExecutionVerdict
from norn_tasks.domain.jobs.job import Fence, JobClass, JobKind, JobState
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import ExecutionFinished
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.beginning import Beginning, begin
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.succeed import Success, succeed
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from tests import factories

PLACE = StepPosition(1, "run-container")


def _verdict(out: str) -> ExecutionVerdict:
    return ExecutionVerdict(ExecutionState.SUCCEEDED, ContainerExit(0, stdout=Captured(out.encode())))


def _claimed(database: Database, count: int) -> list[Job]:
    factories.add_live(database, "fn", at_once=count)
    with database.transaction() as tx:
        live = releases.require_live(tx, "fn")
        for _ in range(count):
            runs.accept_call(tx, live, Call(), sync=False, actor="test", patience=60)
    return [factories.claim(database, job_class=JobClass.INVOKE) for _ in range(count)]


def _rows(database: Database, query: str) -> list[Any]:
    with database.transaction() as tx:
        return [tuple(row) for row in tx.execute(text(query))]


def _success(job: Job) -> Success:
    return Success(job.fence, PLACE, "done", _verdict(f"answer of {job.id}"))


def test_runs_begin_and_end_together_and_each_has_its_own_answer(database: Database) -> None:
    jobs = _claimed(database, 3)
    container = [factories.container(f"c{job.id}") for job in jobs]
    begun = begin(database, [Beginning(job.fence, 0, each) for job, each in zip(jobs, container, strict=True)])
    ended = succeed(database, JobKind.INVOKE, [_success(job) for job in jobs])
    assert begun == [True] * 3
    assert None not in ended
    assert _rows(database, "SELECT state, runs, container, event_seq FROM jobs ORDER BY id") == [
        ("succeeded", 1, f"c{job.id}", 5) for job in jobs
    ]
    answers = _rows(database, "SELECT response FROM execution_io ORDER BY execution")
    assert [bytes(answer) for (answer,) in answers] == [f"answer of {job.id}".encode() for job in jobs]
    assert _rows(database, "SELECT job_id, array_agg(seq ORDER BY id) FROM events GROUP BY 1 ORDER BY 1") == [
        (job.id, [1, 2, 3, 4, 5]) for job in jobs
    ]
    assert _rows(database, "SELECT count(*) FROM slots WHERE job_id IS NOT NULL") == [(0,)]


def test_a_fence_that_fell_takes_no_other_with_it(database: Database) -> None:
    jobs = _claimed(database, 3)
    fallen = Fence(jobs[1].id, jobs[1].fence.token - 1000)
    assert begin(database, [Beginning(f, 0) for f in (jobs[0].fence, fallen, jobs[1].fence)]) == [True, False, True]
    these = [_success(jobs[0]), Success(fallen, PLACE, "stolen", _verdict("stolen")), _success(jobs[1])]
    ended = succeed(database, JobKind.INVOKE, these)
    assert [each is not None for each in ended] == [True, False, True]
    assert _rows(database, "SELECT note FROM steps") == [("done",), ("done",)]
    assert _rows(database, "SELECT state FROM jobs ORDER BY id") == [("succeeded",), ("succeeded",), ("running",)]


def test_a_job_whose_row_is_locked_makes_no_other_wait(database: Database) -> None:
    jobs = _claimed(database, 2)
    with database.transaction() as tx:
        tx.execute(text("SELECT FROM jobs WHERE id = :id FOR UPDATE"), {"id": jobs[0].id})
        assert begin(database, [Beginning(job.fence, 0) for job in jobs]) == [False, True]
        ended = succeed(database, JobKind.INVOKE, [_success(job) for job in jobs])
        assert [each is not None for each in ended] == [False, True]
    ledger = Ledger(database, patience=0)
    ledger.begin_code(jobs[0].fence, 0, factories.container("c1"))
    assert _rows(database, "SELECT container, runs FROM jobs ORDER BY id") == [("c1", 1), (None, 1)]


@pytest.mark.parametrize("kind", [JobKind.INVOKE, None])
def test_an_ended_job_has_no_second_end(database: Database, kind: JobKind | None) -> None:
    (job,) = _claimed(database, 1)
    ledger = Ledger(database, patience=0)
    write = ExecutionFinished(_verdict("x"))
    end = StepEnd(StepState.SUCCEEDED, Learned(writes=(write,), note="done"), ends=JobState.SUCCEEDED)
    ledger.end_step(job.fence, PLACE, end, run_of=kind)
    with pytest.raises(LeaseLost):
        ledger.end_step(job.fence, PLACE, end, run_of=kind)
    assert _rows(database, "SELECT count(*) FROM events WHERE kind = 'job.ended'") == [(1,)]
