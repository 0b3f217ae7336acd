"""Steps that are never repeated automatically. If nobody knows how such a step ended, a person must decide.

When such a step begins, its row is marked. If a job stops after the mark and before the end of the step, the job needs
attention: its app accepts no further forge or deploy until a person has decided what to do.
"""

from __future__ import annotations

from sqlalchemy import Select, insert, select, text, update

from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import JobKind, JobState, Problem
from norn_tasks.domain.jobs.requests import read as read_request
from norn_tasks.domain.jobs.step import MIGRATE_DATABASE, Resolution, StepState
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.queue import jobs
from norn_tasks.store.queue.jobs import NewJob
from norn_tasks.store.tables import DeploymentRow, JobRow, ReleaseRow, StepRow

OPEN = "open"
_DONE_STATES = [str(state) for state in StepState if state.done]
_KEPT = ("n", "name", "state", "attempts", "token", "started_at", "ended_at", "note", "error", "once")


class NeedsAttention(Conflict):
    """An earlier job of the app stopped in a step that must not be repeated, and nobody has decided what to do."""

    code = "needs_attention"


def _open_steps(job: int) -> Select[int, str]:
    return select(StepRow.n, StepRow.name).where(
        StepRow.job_id == job, StepRow.once, StepRow.state == str(StepState.RUNNING)
    )


def open_step(tx: Tx, row: Row) -> str | None:
    """Returns the name of the job's step that must not be repeated and has begun but not ended; None if there is no
    such step.
    """
    found = tx.execute(_open_steps(row["id"])).first() if row["exclusive"] else None
    return None if found is None else str(found.name)


def problem(job: int, step: str) -> Problem:
    """Returns the problem with which a job ends if it needs attention because of this step."""
    return Problem(
        "needs_attention",
        f"{step} had begun and its end is not known; it is not repeated automatically",
        f"look at what it did, then: norn resolve {job} --done, --retry or --abandon",
    )


def mark(tx: Tx, row: Row) -> None:
    """Records that a job needs attention."""
    tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(attention=OPEN))


def require_none(tx: Tx, app: str) -> None:
    """Raises NeedsAttention if a job of the app needs attention."""
    refusal = pending(tx, app)
    if refusal is not None:
        raise refusal


def pending(tx: Tx, app: str) -> NeedsAttention | None:
    """Returns the refusal of a forge or deploy if a job of the app needs attention; None if none does."""
    job = tx.scalar(select(JobRow.id).where(JobRow.app == app, JobRow.attention == OPEN).order_by(JobRow.id).limit(1))
    if job is None:
        return None
    return NeedsAttention(
        f"job {job} of {app} stopped in a step that must not be repeated, and needs your attention",
        hint=f"norn jobs show {job}, then: norn resolve {job} --done, --retry or --abandon",
    )


def locked(tx: Tx, job: int) -> Row:
    """Returns the row of a job that needs attention, locked; raises NotFound or Conflict."""
    row = tx.execute(select(JobRow).where(JobRow.id == job).with_for_update()).mappings().one_or_none()
    if row is None:
        return jobs.get(tx, job)
    if row["attention"] != OPEN:
        raise Conflict(f"job {job} needs no attention: it is {row['state']}", hint=f"norn jobs show {job}")
    return row


def answer(tx: Tx, row: Row, resolution: Resolution, actor: str) -> None:
    """Stores a person's decision about the open step of a job, and applies it; the app accepts work again."""
    done = resolution is Resolution.DONE
    for step in tx.execute(_open_steps(row["id"])).all():
        answer = {"state": str(StepState.SUCCEEDED if done else StepState.FAILED), "note": f"{resolution} by {actor}"}
        same = update(StepRow).where(StepRow.job_id == row["id"], StepRow.n == step.n)
        tx.execute(same.values(**answer, ended_at=text("clock_timestamp()")))
        if done and step.name == MIGRATE_DATABASE:
            release = update(ReleaseRow).where(ReleaseRow.app == row["app"], ReleaseRow.n == row["release"])
            tx.execute(release.values(migrated_at=NOW))
    tx.execute(update(JobRow).where(JobRow.id == row["id"]).values(attention=str(resolution)))
    failed = update(DeploymentRow).where(
        DeploymentRow.id == row["deployment"], DeploymentRow.state == str(DeploymentState.NEEDS_ATTENTION)
    )
    tx.execute(failed.values(state=str(DeploymentState.FAILED)))
    publish(tx, EventKind.JOB_RESOLVED, app=row["app"], job=row["id"], resolution=str(resolution), actor=actor)


def abandon_all(tx: Tx, app: str, actor: str) -> None:
    """Marks every job of the app that needs attention as abandoned."""
    waiting = select(JobRow).where(JobRow.app == app, JobRow.attention == OPEN).with_for_update()
    for row in tx.execute(waiting).mappings().all():
        answer(tx, row, Resolution.ABANDON, actor)


def go_on(tx: Tx, row: Row, actor: str, patience: float) -> int:
    """Accepts a job that continues where the job of `row` stopped, with that job's facts, ended steps and
    deployment.
    """
    new = NewJob(
        read_request(JobKind(row["kind"]), row["args"]), row["app"], actor, patience, spec=row["spec"],
        engine=row["engine"], cluster=row["cluster"], release=row["release"],
    )  # fmt: skip
    job = jobs.accept(tx, new)
    tx.execute(update(JobRow).where(JobRow.id == job).values(facts=row["facts"], deployment=row["deployment"]))
    done = select(text(str(job)), *(getattr(StepRow, name) for name in _KEPT))
    finished = done.where(StepRow.job_id == row["id"], StepRow.state.in_(_DONE_STATES))
    tx.execute(insert(StepRow).from_select(["job_id", *_KEPT], finished))
    again = update(DeploymentRow).where(DeploymentRow.id == row["deployment"])
    tx.execute(again.values(job_id=job, state=str(DeploymentState.QUEUED), error=None, ended_at=None))
    return job


UNKNOWN_END = JobState.ERROR
"""The state in which a job that needs attention ends."""
