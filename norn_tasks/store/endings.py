"""How a job ends, whoever ends it: its row, its slot, its deployment, its execution, its app and the event, at once.

The runner ends what it holds, the sweeper what is stuck, an acceptance what it supersedes; all come through `end()`.
"""

from __future__ import annotations

import json

from sqlalchemy import select, text, update

from norn_tasks.domain.app_status import ForgeState
from norn_tasks.domain.deployment import DeploymentState
from norn_tasks.domain.event import EventKind
from norn_tasks.domain.execution import ExecutionState
from norn_tasks.domain.job import JobKind, JobState, Problem
from norn_tasks.domain.schedule import Verdict
from norn_tasks.store import cron_alerts, slots
from norn_tasks.store.facts import tell
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import App, CronExecution, DeploymentRow, FuncExecution, JobRow, OneOff

_DEPLOYMENT = {
    JobState.FAILED: DeploymentState.FAILED,
    JobState.CANCELLED: DeploymentState.CANCELLED,
    JobState.SUPERSEDED: DeploymentState.SUPERSEDED,
}
_EXECUTION = {JobState.CANCELLED: ExecutionState.CANCELLED, JobState.SUPERSEDED: ExecutionState.CANCELLED}
_GIVE_WAY = (JobKind.DEPLOY, JobKind.REPAIR)
EXECUTION_TABLES: dict[JobKind, type[FuncExecution] | type[CronExecution] | type[OneOff]] = {
    JobKind.INVOKE: FuncExecution,
    JobKind.CRON_RUN: CronExecution,
    JobKind.RUN: OneOff,
}


_END = text("""
UPDATE jobs SET state = :state, ended_at = clock_timestamp(), lease_until = NULL, error = CAST(:error AS jsonb)
 WHERE id = :job""")

# By its occurrence, which has an index: the ticks of a job have none.
_NOT_BEGUN = text("""
UPDATE cron_ticks k SET verdict = :verdict, reason = :reason FROM cron_executions x
 WHERE x.id = :execution AND k.app = x.app AND k.scheduled_for = x.scheduled_for AND k.execution = x.id""")


def end(
    tx: Tx, row: Row, state: JobState, problem: Problem | None = None, *, told: bool = False, by_owner: bool = False
) -> None:
    """Ends the job of `row` (a locked row of `jobs`) in a terminal state, with everything that follows from it.

    `told`: how its execution ended is written already. `by_owner`: its worker ends it, and has seen its container gone;
    else one that was recorded may still run, and keeps its slot until a look at the engine misses it
    (`slots.release_unseen`).
    """
    error = json.dumps(problem.to_json()) if problem else None
    tx.execute(_END, {"job": row["id"], "state": str(state), "error": error})
    if by_owner or row["container"] is None:
        slots.release(tx, row["id"])
    if row["kind"] in EXECUTION_TABLES:
        if not told:
            _end_execution(tx, row, state, problem)
    elif row["deployment"] is not None:
        _end_deployment(tx, row["deployment"], state, problem)
    elif row["kind"] in (JobKind.FORGE, JobKind.TEARDOWN):
        _settle_forge(tx, row, state, problem)
    if row["kind"] == JobKind.CRON_RUN:
        cron_alerts.run_ended(tx, row, state, problem)
    data = {"state": str(state), "error": problem.to_json() if problem else None, "kind": row["kind"]}
    tell(tx, EventKind.JOB_ENDED, app=row["app"], job=row["id"], **data)


def _end_execution(tx: Tx, row: Row, state: JobState, problem: Problem | None) -> None:
    """Ends an execution that did not end by itself; one that did keeps what it told."""
    table = EXECUTION_TABLES[JobKind(row["kind"])]
    told = problem or Problem(str(state), f"the job was {state}")
    tx.execute(
        update(table)
        .where(table.id == row["execution"], table.state.in_(("pending", "running")))
        .values(
            state=str(_EXECUTION.get(state, ExecutionState.ERROR)),
            cause=told.code,
            sentence=told.sentence,
            hint=told.hint,
            finished_at=text("clock_timestamp()"),
        )
    )
    if row["kind"] == JobKind.CRON_RUN and row["begun_at"] is None and state is not JobState.SUCCEEDED:
        verdict = Verdict.MISSED if state is JobState.EXPIRED else Verdict.FAILED_TO_START
        tx.execute(_NOT_BEGUN, {"verdict": str(verdict), "reason": told.sentence, "execution": row["execution"]})


def _end_deployment(tx: Tx, deployment: int, state: JobState, problem: Problem | None) -> None:
    """Gives a deployment its last state; one that is live stays `deployed` whatever became of the tidying after it."""
    if state is JobState.SUCCEEDED:
        return
    tx.execute(
        update(DeploymentRow)
        .where(DeploymentRow.id == deployment, DeploymentRow.state != str(DeploymentState.DEPLOYED))
        .values(
            state=str(_DEPLOYMENT.get(state, DeploymentState.FAILED)),
            error=problem.to_json() if problem else None,
            ended_at=text("clock_timestamp()"),
        )
    )


def _settle_forge(tx: Tx, row: Row, state: JobState, problem: Problem | None) -> None:
    if state is JobState.SUCCEEDED:
        after = ForgeState.FORGED if row["kind"] == JobKind.FORGE else ForgeState.UNFORGED
    elif row["first_claimed_at"] is None:
        return
    else:
        after = ForgeState.FORGE_FAILED
    tx.execute(
        update(App)
        .where(App.name == row["app"])
        .values(forge_state=str(after), forge_error=problem.to_json() if problem else None)
    )


def supersede(tx: Tx, app: str, sentence: str, *, also_running: bool, actor: str) -> list[int]:
    """Ends the app's queued deploys and repairs as superseded and, if asked, requests that a running one cancels.

    Answers the ids of the jobs it ended or asked. The caller holds the app's row.
    """
    waiting = tx.execute(
        select(JobRow)
        .where(JobRow.app == app, JobRow.kind.in_(_GIVE_WAY), JobRow.state.in_(("queued", "running")))
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
    """Ends the app's jobs of a kind that wait and have no container: the app is torn down, and none could be claimed.

    One between two tries waits as well.
    """
    waiting = (
        select(JobRow)
        .where(JobRow.app == app, JobRow.kind == str(kind), JobRow.state == "queued", JobRow.container.is_(None))
        .with_for_update()
    )
    for row in tx.execute(waiting).mappings().all():
        end(tx, row, JobState.CANCELLED, Problem("cancelled", f"{app} was torn down before it began"))


def request_cancel(tx: Tx, row: Row, actor: str) -> None:
    """Marks a job that is not ended to be cancelled; its owner sees it with the next heartbeat, the sweeper else."""
    if JobState(row["state"]).terminal or row["cancel_requested_at"] is not None:
        return
    # The row may have been read without a lock, and the job have ended since.
    asked = tx.execute(
        update(JobRow)
        .where(JobRow.id == row["id"], JobRow.state.in_(("queued", "running")))
        .values(cancel_requested_at=text("clock_timestamp()"), cancel_by=actor)
    )
    if asked.rowcount:
        tell(tx, EventKind.JOB_CANCEL_REQUESTED, app=row["app"], job=row["id"], actor=actor)
