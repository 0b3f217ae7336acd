"""Reads jobs, their steps and the output of steps for people; `store.queue.jobs` and the ledger change them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.jobs.facts import Facts, StepPlan
from norn_tasks.domain.jobs.job import OPEN, JobState
from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import AnySelect, Cut, Page, Reach, equal, newest_first, value, within
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import waiting


@dataclass(frozen=True)
class StepView:
    """A step of a job; `pending` while it has not begun."""

    n: int
    name: str
    state: str = "pending"
    attempts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    note: str = ""
    error: dict[str, Any] | None = None

    @property
    def seconds(self) -> float | None:
        """The seconds that the step took; None if it has not ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return round((self.ended_at - self.started_at).total_seconds(), 3)


@dataclass(frozen=True)
class JobView:
    """A job as its readers see it."""

    id: int
    kind: str
    class_: str
    app: str
    state: str
    actor: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    deadline: datetime | None
    claims: int
    runs: int
    cancel_requested_at: datetime | None
    error: dict[str, Any] | None
    deployment: int | None
    execution: int | None
    release: int | None
    args: dict[str, Any]
    facts: dict[str, Any]
    waits: str | None = None

    @property
    def ended(self) -> bool:
        """True if the state can no longer change."""
        return JobState(self.state).terminal


def _jobs() -> AnySelect:
    j = t.JobRow
    return select(
        j.id, j.kind, j.class_.label("class_"), j.app, j.state, j.actor, j.created_at,
        j.first_claimed_at.label("started_at"), j.ended_at, j.deadline, j.claims, j.runs, j.cancel_requested_at,
        j.error, j.deployment, j.execution, j.release, j.args, j.facts,
    )  # fmt: skip


@dataclass(frozen=True)
class JobFilter:
    """The filter of a list of jobs; a field that is None admits every job."""

    app: str | None = None
    kind: str | None = None
    state: str | None = None
    job_class: str | None = None
    reach: Reach = None


def listed(tx: Tx, wanted: JobFilter, cut: Cut) -> Page[JobView]:
    """Lists jobs, newest first."""
    j = t.JobRow
    chosen = equal(
        app=(j.app, wanted.app),
        kind=(j.kind, wanted.kind),
        state=(j.state, wanted.state),
        job_class=(j.class_, wanted.job_class),
    )
    page = newest_first(tx, _jobs().where(*chosen, *within(j.app, wanted.reach)), j.id, JobView, cut)
    waits = waiting.reasons(tx, [job.id for job in page.items if job.state == JobState.QUEUED])
    return replace(page, items=tuple(replace(job, waits=waits.get(job.id)) for job in page.items))


def absent(job: int) -> NotFound:
    """Returns the error for a job that does not exist."""
    return NotFound(f"there is no job {job}", hint="norn jobs")


def get(tx: Tx, job: int) -> JobView:
    """Returns one job; raises NotFound."""
    row = tx.execute(_jobs().where(t.JobRow.id == job)).first()
    if row is None:
        raise absent(job)
    return replace(value(JobView, row), waits=waiting.reasons(tx, [job]).get(job))


def steps(tx: Tx, job: JobView) -> tuple[StepView, ...]:
    """Returns the steps of a job in order: those that began, then the planned ones that did not."""
    s = t.StepRow
    columns = (s.n, s.name, s.state, s.attempts, s.started_at, s.ended_at, s.note, s.error)
    begun = [value(StepView, row) for row in tx.execute(select(*columns).where(s.job_id == job.id).order_by(s.n))]
    return (*begun, *_pending(job, begun))


def _pending(job: JobView, begun: list[StepView]) -> Iterator[StepView]:
    taken = {step.name for step in begun}
    last = max((step.n for step in begun), default=-1)
    plan = Facts.from_json(job.facts).get(StepPlan)
    names = [name for name in plan.plan if name not in taken] if plan is not None else []
    return (StepView(n, name) for n, name in enumerate(names, last + 1))


def running_of(tx: Tx, apps: tuple[str, ...]) -> dict[str, tuple[int, str]]:
    """Returns, by app, the id and kind of its oldest exclusive job (such as a forge) that has not ended."""
    j = t.JobRow
    active = (j.exclusive, j.state.in_(OPEN))
    query = select(j.app, j.id, j.kind).where(j.app.in_(apps), *active).ext(distinct_on(j.app)).order_by(j.app, j.id)
    return {row.app: (row.id, row.kind) for row in tx.execute(query)}
