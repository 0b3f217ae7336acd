"""The end of a job, for any reason: one transaction writes its row, slot, deployment, execution, app and event.

The runner ends jobs that it holds, the sweeper ends stuck jobs, and accepting a job ends the jobs that it supersedes;
all of them call `end()`.
"""

from __future__ import annotations

import json

from sqlalchemy import select, text, update

from norn_tasks.domain.jobs.app_status import ForgeState
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.execution import OPEN_RUN, ExecutionState
from norn_tasks.domain.jobs.job import OPEN, JobKind, JobState, Problem
from norn_tasks.domain.schedule import Verdict
from norn_tasks.store.alerts import cron_rules
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import CANCELS, Row, Tx, note
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.queue import attention, slots, wanted_ends
from norn_tasks.store.tables import AppRow, CronExecutionRow, DeploymentRow, FunctionExecutionRow, JobRow, OneOffRow

_DEPLOYMENT = {
    JobState.FAILED: DeploymentState.FAILED,
    JobState.CANCELLED: DeploymentState.CANCELLED,
    JobState.SUPERSEDED: DeploymentState.SUPERSEDED,
}
_EXECUTION = {JobState.CANCELLED: ExecutionState.CANCELLED, JobState.SUPERSEDED: ExecutionState.CANCELLED}
_GIVE_WAY = (JobKind.DEPLOY, JobKind.REPAIR)
EXECUTION_TABLES: dict[JobKind, type[FunctionExecutionRow] | type[CronExecutionRow] | type[OneOffRow]] = {
    JobKind.INVOKE: FunctionExecutionRow,
    JobKind.CRON_RUN: CronExecutionRow,
    JobKind.RUN: OneOffRow,
}


_END = Prepared("""
UPDATE jobs SET state = :state, ended_at = clock_timestamp(), lease_until = NULL, error = CAST(:error AS jsonb)
 WHERE id = :job""")

# Finds the tick by its occurrence, because `cron_ticks` has an index for that and none for the job.
_NOT_BEGUN = text("""
UPDATE cron_ticks k SET verdict = :verdict, reason = :reason FROM cron_executions x
 WHERE x.id = :execution AND k.app = x.app AND k.scheduled_for = x.scheduled_for AND k.execution = x.id""")


def end(
    tx: Tx, row: Row, state: JobState, problem: Problem | None = None, *, recorded: bool = False, by_owner: bool = False
) -> None:
    """Ends the job of `row` (a locked row of `jobs`) in a terminal state, and everything that belongs to the job.

    `recorded`: the end of its execution is already written. `by_owner`: its worker ends it, and knows that its
    container no longer exists. Otherwise a recorded container may still run, and the job keeps its slot until an
    observation of the engine no longer finds the container (`slots.release_unseen`).

    In two cases the caller's state and problem are replaced. A job that stops inside a step with an unknown end needs
    attention. A job that was asked to stop is cancelled, even if its worker was lost.
    """
    step = None if state is JobState.SUCCEEDED else attention.open_step(tx, row)
    if step is not None:
        state, problem = attention.UNKNOWN_END, attention.problem(row["id"], step)
        attention.mark(tx, row)
    else:
        state, problem = wanted_ends.asked_to(row, state, problem)
    error = json.dumps(problem.to_json()) if problem else None
    run(tx, _END, {"job": row["id"], "state": str(state), "error": error})
    if by_owner or row["container"] is None:
        slots.release(tx, row["id"])
    if row["kind"] in EXECUTION_TABLES:
        if not recorded:
            _end_execution(tx, row, state, problem)
    elif row["deployment"] is not None:
        _end_deployment(tx, row["deployment"], state, problem)
    if row["kind"] in (JobKind.FORGE, JobKind.TEARDOWN):
        _settle_forge(tx, row, state, problem)
    if row["kind"] == JobKind.CRON_RUN:
        cron_rules.run_ended(tx, row, state, problem)
    data = {"state": str(state), "error": problem.to_json() if problem else None, "kind": row["kind"]}
    publish(tx, EventKind.JOB_ENDED, app=row["app"], job=row["id"], **data)
    if step is not None:
        sentence = f"the earlier job {row['id']} needs attention"
        supersede(tx, row["app"], sentence, also_running=False, actor=row["actor"])


def _end_execution(tx: Tx, row: Row, state: JobState, problem: Problem | None) -> None:
    """Ends an execution that has not ended; one that has already ended keeps its state and cause."""
    table = EXECUTION_TABLES[JobKind(row["kind"])]
    cause = problem or Problem(str(state), f"the job was {state}")
    tx.execute(
        update(table)
        .where(table.id == row["execution"], table.state.in_(OPEN_RUN))
        .values(
            state=str(_EXECUTION.get(state, ExecutionState.ERROR)),
            cause=cause.code,
            sentence=cause.sentence,
            hint=cause.hint,
            finished_at=text("clock_timestamp()"),
        )
    )
    if row["kind"] == JobKind.CRON_RUN and row["begun_at"] is None and state is not JobState.SUCCEEDED:
        verdict = Verdict.MISSED if state is JobState.EXPIRED else Verdict.FAILED_TO_START
        if wanted_ends.replaced_early(row):
            verdict = Verdict.SKIPPED_OVERLAP
        tx.execute(_NOT_BEGUN, {"verdict": str(verdict), "reason": cause.sentence, "execution": row["execution"]})


def _end_deployment(tx: Tx, deployment: int, state: JobState, problem: Problem | None) -> None:
    """Gives a deployment its last state; one that went live stays `deployed`, even if the cleanup afterwards failed."""
    if state is JobState.SUCCEEDED:
        return
    tx.execute(
        update(DeploymentRow)
        .where(DeploymentRow.id == deployment, DeploymentRow.state != str(DeploymentState.DEPLOYED))
        .values(
            state=str(_state_of(state, problem)),
            error=problem.to_json() if problem else None,
            ended_at=text("clock_timestamp()"),
        )
    )


def _state_of(state: JobState, problem: Problem | None) -> DeploymentState:
    if problem is not None and problem.code == attention.NeedsAttention.code:
        return DeploymentState.NEEDS_ATTENTION
    return _DEPLOYMENT.get(state, DeploymentState.FAILED)


def _settle_forge(tx: Tx, row: Row, state: JobState, problem: Problem | None) -> None:
    if state is JobState.SUCCEEDED:
        after = ForgeState.FORGED if row["kind"] == JobKind.FORGE else ForgeState.UNFORGED
    elif row["first_claimed_at"] is None:
        return
    else:
        # If a forge has a release, its app was forged before, and the app's live release continues to serve.
        after = ForgeState.FORGE_FAILED if row["deployment"] is None else ForgeState.FORGED
    tx.execute(
        update(AppRow)
        .where(AppRow.name == row["app"])
        .values(forge_state=str(after), forge_error=problem.to_json() if problem else None)
    )


def supersede(tx: Tx, app: str, sentence: str, *, also_running: bool, actor: str) -> list[int]:
    """Ends the app's queued deploys and repairs as superseded; `also_running`: also asks running ones to stop.

    Returns the ids of these jobs. The caller has locked the app's row.
    """
    waiting = tx.execute(
        select(JobRow)
        .where(JobRow.app == app, JobRow.kind.in_(_GIVE_WAY), JobRow.state.in_(OPEN))
        .order_by(JobRow.id)
        .with_for_update()
    ).mappings()
    touched = []
    for row in waiting.all():
        if row["state"] == "queued":
            end(tx, row, JobState.SUPERSEDED, Problem("superseded", sentence))
        elif also_running:
            request_cancel(tx, row, actor)
        else:
            continue
        touched.append(int(row["id"]))
    return touched


def cancel_waiting(tx: Tx, app: str, kind: JobKind) -> None:
    """Cancels the app's queued jobs of a kind that have no container, because no worker could claim them after a
    teardown.

    This includes jobs that wait for their next try.
    """
    waiting = (
        select(JobRow)
        .where(JobRow.app == app, JobRow.kind == str(kind), JobRow.state == "queued", JobRow.container.is_(None))
        .with_for_update()
    )
    for row in tx.execute(waiting).mappings().all():
        end(tx, row, JobState.CANCELLED, Problem("cancelled", f"{app} was torn down before it began"))


def request_cancel(tx: Tx, row: Row, actor: str) -> None:
    """Records that a job that has not ended must be cancelled. Its worker is notified, or reads this with its next
    heartbeat.

    The sweeper ends a job that has no worker.
    """
    if JobState(row["state"]).terminal or row["cancel_requested_at"] is not None:
        return
    # The row may have been read without a lock, so the job may have ended since then.
    asked = tx.execute(
        update(JobRow)
        .where(JobRow.id == row["id"], JobRow.state.in_(OPEN))
        .values(cancel_requested_at=text("clock_timestamp()"), cancel_by=actor)
    )
    if asked.rowcount:
        publish(tx, EventKind.JOB_CANCEL_REQUESTED, app=row["app"], job=row["id"], actor=actor)
        note(tx, CANCELS, str(row["id"]))
