"""The job table as a queue: accepting a job, and the looks at one; `store.claims` hands it to a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, insert, select, text

from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.event import EventKind
from norn_tasks.domain.job import JobKind
from norn_tasks.store.facts import tell
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import JobRow


@dataclass(frozen=True)
class NewJob:
    """A job to accept. `patience` seconds it may wait to begin; `engine` pins it to the engine that holds its image."""

    kind: JobKind
    app: str
    actor: str
    patience: float
    spec: Mapping[str, Any] | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    dedupe_key: str | None = None
    engine: str | None = None
    release: int | None = None
    sync: bool = False
    max_runs: int = 1


def accept(tx: Tx, new: NewJob) -> int:
    """Writes the job and its event; answers its id. The caller wakes the class after commit."""
    values = {
        "kind": str(new.kind),
        "class": str(new.kind.job_class),
        "app": new.app,
        "exclusive": new.kind.exclusive,
        "spec": new.spec,
        "args": dict(new.args),
        "actor": new.actor,
        "dedupe_key": new.dedupe_key,
        "engine": new.engine,
        "release": new.release,
        "sync": new.sync,
        "max_runs": new.max_runs,
        "deadline": text("clock_timestamp() + make_interval(secs => :patience)").bindparams(patience=new.patience),
    }
    job = int(tx.execute(insert(JobRow).values(values).returning(JobRow.id)).scalar_one())
    tell(tx, EventKind.JOB_ACCEPTED, app=new.app, job=job, kind=str(new.kind), actor=new.actor)
    return job


def coalesced(tx: Tx, kind: JobKind, app: str, dedupe_key: str) -> int | None:
    """Answers the queued or running job with this key, which a second request joins."""
    return tx.scalar(
        select(JobRow.id).where(
            JobRow.kind == str(kind),
            JobRow.app == app,
            JobRow.dedupe_key == dedupe_key,
            JobRow.state.in_(("queued", "running")),
        )
    )


def get(tx: Tx, job: int) -> Row:
    """Answers a job's row; raises NotFound."""
    row = tx.execute(select(JobRow).where(JobRow.id == job)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no job {job}", hint="norn jobs")
    return row


def open_of_kinds(tx: Tx, kinds: tuple[JobKind, ...]) -> int:
    """Answers how many jobs of these kinds wait or run."""
    found = select(func.count()).where(JobRow.kind.in_(kinds), JobRow.state.in_(("queued", "running")))
    return int(tx.scalar(found) or 0)
