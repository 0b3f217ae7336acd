"""Jobs, their steps and what the steps printed, as readers see them; `store.jobs` and the ledger change them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.job import JobState
from norn_tasks.store import memory
from norn_tasks.store import tables as t
from norn_tasks.store.reading import AnySelect, Cut, Page, Reach, equal, newest_first, value, within
from norn_tasks.store.session import Tx


@dataclass(frozen=True)
class Step:
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
        """How long it took; None while it runs."""
        if self.started_at is None or self.ended_at is None:
            return None
        return round((self.ended_at - self.started_at).total_seconds(), 3)


@dataclass(frozen=True)
class SeenJob:
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
        """True when nothing more will happen to it."""
        return JobState(self.state).terminal


def _jobs() -> AnySelect:
    j = t.JobRow
    return select(
        j.id, j.kind, j.class_.label("class_"), j.app, j.state, j.actor, j.created_at,
        j.first_claimed_at.label("started_at"), j.ended_at, j.deadline, j.claims, j.runs, j.cancel_requested_at,
        j.error, j.deployment, j.execution, j.release, j.args, j.facts,
    )  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which jobs a list is about; None: any."""

    app: str | None = None
    kind: str | None = None
    state: str | None = None
    job_class: str | None = None
    reach: Reach = None


def listed(tx: Tx, wanted: Wanted, cut: Cut) -> Page[SeenJob]:
    """Lists jobs, newest first."""
    j = t.JobRow
    chosen = equal(
        app=(j.app, wanted.app),
        kind=(j.kind, wanted.kind),
        state=(j.state, wanted.state),
        job_class=(j.class_, wanted.job_class),
    )
    page = newest_first(tx, _jobs().where(*chosen, *within(j.app, wanted.reach)), j.id, SeenJob, cut)
    waits = memory.waiting(tx, [job.id for job in page.items if job.state == JobState.QUEUED])
    return replace(page, items=tuple(replace(job, waits=waits.get(job.id)) for job in page.items))


def get(tx: Tx, job: int) -> SeenJob:
    """Answers one job; raises NotFound."""
    row = tx.execute(_jobs().where(t.JobRow.id == job)).first()
    if row is None:
        raise NotFound(f"there is no job {job}", hint="norn jobs")
    return replace(value(SeenJob, row), waits=memory.waiting(tx, [job]).get(job))


def steps(tx: Tx, job: SeenJob) -> tuple[Step, ...]:
    """Answers the steps of a job in order: those that began, then those of its plan that did not."""
    s = t.StepRow
    columns = (s.n, s.name, s.state, s.attempts, s.started_at, s.ended_at, s.note, s.error)
    begun = [value(Step, row) for row in tx.execute(select(*columns).where(s.job_id == job.id).order_by(s.n))]
    return (*begun, *_pending(job, begun))


def _pending(job: SeenJob, begun: list[Step]) -> Iterator[Step]:
    taken = {step.name for step in begun}
    last = max((step.n for step in begun), default=-1)
    names = [name for name in job.facts.get("plan", ()) if name not in taken]
    return (Step(n, name) for n, name in enumerate(names, last + 1))


def running_of(tx: Tx, apps: tuple[str, ...]) -> dict[str, tuple[int, str]]:
    """Answers the oldest job that forges, deploys or changes each of these apps now: its id and kind."""
    j = t.JobRow
    active = (j.exclusive, j.state.in_(("queued", "running")))
    query = select(j.app, j.id, j.kind).where(j.app.in_(apps), *active).ext(distinct_on(j.app)).order_by(j.app, j.id)
    return {row.app: (row.id, row.kind) for row in tx.execute(query)}
