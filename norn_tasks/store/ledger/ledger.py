"""The ledger: all writes of a worker about a job that it holds. Each write is fenced by the token of the worker's
claim.

If no row matches the fence, another worker owns the job, or the job has ended. The method then raises LeaseLost, and
the caller kills its programs and changes nothing else. Each method is one transaction, which is retried for `patience`
seconds while PostgreSQL is unreachable. The end of a job is retried for longer, because the result of its code cannot
be produced again, and the fence shows when it is too late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import delete, select, update

from norn_tasks.domain.errors import LeaseLost
from norn_tasks.domain.jobs.container import ContainerRef
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.domain.jobs.facts import Fact, Facts, RequestedRepairs, StepPlan, to_json
from norn_tasks.domain.jobs.job import Fence, JobClass, JobKind, JobState, Problem
from norn_tasks.domain.jobs.step import StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import ExecutionFinished
from norn_tasks.store.database.batches import Batches
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import EVENTS, Database, Row, Tx, retry_while_down
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.fleet import memory
from norn_tasks.store.ledger import step_rows
from norn_tasks.store.ledger.apply_writes import record
from norn_tasks.store.ledger.beginning import BEGIN, RECORD_CONTAINER, Beginning, begin
from norn_tasks.store.ledger.succeed import KINDS, Success, succeed, success_of
from norn_tasks.store.queue import attention, endings, retries, slots
from norn_tasks.store.releases.auto_rollback import request_return
from norn_tasks.store.rules.fence import held
from norn_tasks.store.runs import finishing
from norn_tasks.store.tables import DeploymentRow, JobRow, StepRow

T = TypeVar("T")


def hold(tx: Tx, fence: Fence) -> Row:
    """Locks and returns the job's row; raises LeaseLost if the job's token has changed."""
    row = run(tx, _HOLD, {"job": fence.job, "token": fence.token}).mappings().one_or_none()
    if row is None:
        raise LeaseLost(_LOST.format(fence.job, fence.token))
    return row


_COLUMNS = ", ".join(f'"{column.name}"' for column in JobRow.__table__.columns)
_HOLD = Prepared(f"SELECT {_COLUMNS} FROM jobs WHERE {held()} FOR UPDATE")  # noqa: S608 - built from a constant
_LOST = "job {} is no longer held under token {}"


class Ledger:
    """The ledger for a worker that runs jobs. Writes are retried for `patience` seconds while PostgreSQL is
    unreachable.

    `wake` wakes the workers of a class if a job created work for them; `leaving` returns True when the process must
    end.
    """

    def __init__(
        self,
        database: Database,
        *,
        patience: float,
        wake: Callable[[JobClass], object] = lambda _: None,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._patience = patience
        self._wake = wake
        self._leaving = leaving
        self._begins: Batches[Beginning, bool] = Batches(partial(begin, database))
        self._ends: dict[JobKind, Batches[Success, Facts | None]] = {
            kind: Batches(partial(succeed, database, kind)) for kind in KINDS
        }

    def _write(self, write: Callable[[Tx], Any], *, ends: bool = False) -> Any:
        def transaction() -> Any:
            with self._database.transaction() as tx:
                return write(tx)

        return self._until_up(transaction, ends=ends)

    def _until_up(self, write: Callable[[], T], *, ends: bool = False) -> T:
        return retry_while_down(write, self._patience, lambda: ends and not self._leaving())

    def _write_alone(self, statement: Prepared, fence: Fence, *, notifies: bool = False, **values: object) -> None:
        """Runs a statement that checks the fence itself; raises LeaseLost if it returns no row.

        `notifies`: readers of events are notified.
        """
        bound, note = {"job": fence.job, "token": fence.token, **values}, (EVENTS, str(fence.job))
        noted = (lambda _: note) if notifies else None
        if not retry_while_down(lambda: self._database.execute_autocommit(statement, bound, noted), self._patience):
            raise LeaseLost(_LOST.format(fence.job, fence.token))

    def steps(self, fence: Fence) -> dict[str, StepState]:
        """Returns the states of the job's steps, by name."""

        def read(tx: Tx) -> dict[str, StepState]:
            hold(tx, fence)
            rows = tx.execute(select(StepRow.name, StepRow.state).where(StepRow.job_id == fence.job))
            return {row.name: StepState(row.state) for row in rows}

        return dict(self._write(read))

    def plan(self, fence: Fence, names: list[str]) -> None:
        """Stores the names of the pipeline's steps in the job's facts, so that clients can show them."""
        self._write(lambda tx: _merge_facts(tx, hold(tx, fence), (StepPlan(tuple(names)),)))

    def begin_step(
        self, fence: Fence, place: StepPosition, stage: DeploymentState | None, *, once: bool = False
    ) -> None:
        """Records that a step begins, and the deployment's state during it. `once`: the step is never repeated."""

        def write(tx: Tx) -> None:
            row = hold(tx, fence)
            step_rows.begin(tx, fence, place, once=once)
            if stage is DeploymentState.DEPLOYING:
                memory.lower(tx, row)
            if stage is not None and row["deployment"] is not None:
                tx.execute(update(DeploymentRow).where(DeploymentRow.id == row["deployment"]).values(state=str(stage)))
            publish(tx, EventKind.STEP_STARTED, app=row["app"], job=fence.job, n=place.n, name=place.name)

        self._write(write)

    def end_step(self, fence: Fence, place: StepPosition, end: StepEnd, *, run_of: JobKind | None = None) -> Facts:
        """Records the end of a step with all that it learned, and ends the job with it if `end` says so.

        Returns the job's current facts. If this ends the job, it is written as soon as PostgreSQL responds, no matter
        how long that takes, unless the job's token has changed by then or the process must end.

        `run_of`: the kind of the job, if it is a run. The ends of runs that succeed at the same moment are then written
        together.
        """
        success = success_of(fence, place, end) if run_of in self._ends else None
        if success is not None and run_of is not None:
            batches = self._ends[run_of]
            written = self._until_up(lambda: batches.ask(success), ends=True)
            if written is not None:
                return written

        def write(tx: Tx) -> Facts:
            row = hold(tx, fence)
            learned = record(tx, row, end.learned.writes)
            facts = _merge_facts(tx, row, (*end.learned.facts, *learned))
            step_rows.close(tx, row, fence, place, end)
            if end.ends is not None:
                _end_or_retry(tx, row, end)
            return facts

        facts: Facts = self._write(write, ends=end.ends is not None)
        if facts.get(RequestedRepairs) is not None:
            self._wake(JobClass.DEPLOY)
        return facts

    def finish(
        self,
        fence: Fence,
        state: JobState,
        problem: Problem | None = None,
        *,
        returns: bool = False,
        ended: ContainerExit | None = None,
    ) -> None:
        """Ends the job. `returns`: also requests a return to the live release.

        `ended`: how its container ended; the output is stored even if the job was asked to stop.
        """

        def write(tx: Tx) -> None:
            row = hold(tx, fence)
            if ended is not None:
                finishing.keep_output(tx, row, ended)
            endings.end(tx, row, state, problem, by_owner=True)
            if returns:
                request_return(tx, row)

        self._write(write)

    def hand_back(self, fence: Fence, *, adopt: bool, postponed: bool = False) -> None:
        """Puts a job back into the queue because this worker must give it up, and does not count its claim.

        `adopt`: its container keeps running, and the next worker waits for the end of the container; the job keeps its
        slot. `postponed`: the current step has done nothing yet, and will begin again. A job inside a step that must
        not be repeated ends instead, and needs attention.
        """

        def write(tx: Tx) -> None:
            row = hold(tx, fence)
            if not postponed and attention.open_step(tx, row) is not None:
                endings.end(tx, row, attention.UNKNOWN_END, by_owner=True)
                return
            if not adopt:
                slots.put_back(tx, fence.job)
            if postponed:
                tx.execute(delete(StepRow).where(StepRow.job_id == fence.job, StepRow.state == StepState.RUNNING))
            tx.execute(
                update(JobRow)
                .where(JobRow.id == fence.job)
                .values(state="queued", claims=JobRow.claims - 1, lease_until=None, adopt=adopt)
            )
            publish(tx, EventKind.JOB_HANDED_BACK, app=row["app"], job=fence.job, worker=row["lease_owner"])

        self._write(write)

    def record_container(self, fence: Fence, container: ContainerRef) -> None:
        """Records a created container before it is started; returns only after the commit."""
        self._write_alone(RECORD_CONTAINER, fence, **asdict(container))

    def check(self, fence: Fence) -> None:
        """Raises LeaseLost if the job's token has changed."""
        self._write(lambda tx: hold(tx, fence))

    def begin_code(self, fence: Fence, before: int, container: ContainerRef | None = None) -> None:
        """Records that the user's code is about to start, so that `before` + 1 starts are used up; returns only after
        the commit.

        The worker passes the number of earlier starts, so that a write that is repeated after a lost response counts
        only once.
        `container` is recorded in the same transaction, if it is not recorded yet. Runs that begin at the same moment
        are written together.
        """
        if self._until_up(lambda: self._begins.ask(Beginning(fence, before, container))):
            return
        if container is not None:
            self.record_container(fence, container)
        self._write_alone(BEGIN, fence, notifies=True, before=before)

    def take_back_run(self, fence: Fence) -> int:
        """Records that the code was never started after all, and returns how many starts are used up.

        The count is reduced only if the execution shows that this start was counted; earlier ones stay counted.
        """

        def write(tx: Tx) -> int:
            row = hold(tx, fence)
            table = endings.EXECUTION_TABLES[JobKind(row["kind"])]
            mine = update(table).where(table.id == row["execution"], table.state == "running")
            counted = tx.execute(mine.values(state="pending").returning(table.id)).one_or_none() is not None
            runs = int(row["runs"]) - counted
            begun_at = row["begun_at"] if runs else None
            again = {"begun_at": begun_at, "adopt": False, "runs": runs}
            no_container = {"container": None, "container_runtime": None, "container_engine": None}
            tx.execute(update(JobRow).where(JobRow.id == fence.job).values(again | no_container))
            return runs

        return int(self._write(write))


def _end_or_retry(tx: Tx, row: Row, end: StepEnd) -> None:
    judged = end.problem is not None and JobKind(row["kind"]).takes_slot
    pause = retries.pause(row, end.problem.code) if judged and end.problem else None
    if pause is not None:
        retries.again(tx, row, pause)
    elif end.ends is not None:
        recorded = any(isinstance(write, ExecutionFinished) for write in end.learned.writes)
        endings.end(tx, row, end.ends, end.problem, recorded=recorded, by_owner=True)


def _merge_facts(tx: Tx, row: Row, facts: tuple[Fact, ...]) -> Facts:
    merged = {**row["facts"], **to_json(facts)}
    if facts:
        tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(facts=merged))
    return Facts.from_json(merged)
