"""The table of jobs as a queue: accepts a job, and reads one. `store.queue.claims` gives jobs to workers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text

from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import OPEN, JobKind
from norn_tasks.domain.jobs.requests import JobRequest
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import EVENTS, Row, Tx
from norn_tasks.store.events.publishing import notify
from norn_tasks.store.tables import JobRow


@dataclass(frozen=True)
class NewJob:
    """A job to accept. It may wait `patience` seconds to begin; `engine` pins it to the engine that holds its image.

    `cluster` is the cluster that runs its app.
    """

    request: JobRequest
    app: str
    actor: str
    patience: float
    spec: Mapping[str, Any] | None = None
    dedupe_key: str | None = None
    engine: str | None = None
    cluster: str | None = None
    release: int | None = None
    sync: bool = False
    max_runs: int = 1
    execution: int | None = None

    @property
    def kind(self) -> JobKind:
        """The kind of its request."""
        return self.request.kind


_COLUMNS = (
    "id", "kind", "class", "app", "exclusive", "spec", "args", "actor", "dedupe_key", "engine", "cluster", "release",
    "execution", "sync", "max_runs", "run_after", "deadline",
)  # fmt: skip
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)


def accepted(source: str) -> str:
    """Returns the SQL that accepts the jobs in the table `source`: it inserts their rows (as `job`) and their events.

    `source` has a column for each column of `jobs` whose value is known when a job is accepted.
    """
    return f"""job AS (
  INSERT INTO jobs({_NAMES}, event_seq) SELECT {_NAMES}, 1 FROM {source} RETURNING id),
accepted AS (
  INSERT INTO events(kind, app, job_id, seq, data)
  SELECT '{EventKind.JOB_ACCEPTED}', app, id, 1, jsonb_build_object('kind', kind, 'actor', actor) FROM {source})"""  # noqa: S608 - built from constants


def accepting(execution: str = "CAST(:execution AS bigint)") -> str:
    """Returns the SQL that accepts one job, whose row is the table `new`; `values_of` returns the parameters.

    The SQL is the beginning of a `WITH` statement. `execution` is the SQL of the id of the job's execution.
    """
    return f"""WITH new AS MATERIALIZED (
  SELECT nextval('jobs_id_seq') AS id, CAST(:kind AS text) AS kind, CAST(:class AS text) AS class,
         CAST(:app AS text) AS app, CAST(:exclusive AS boolean) AS exclusive, CAST(:spec AS jsonb) AS spec,
         CAST(:args AS jsonb) AS args, CAST(:actor AS text) AS actor, CAST(:dedupe_key AS text) AS dedupe_key,
         CAST(:engine AS text) AS engine, CAST(:cluster AS text) AS cluster, CAST(:release AS bigint) AS release,
         {execution} AS execution, CAST(:sync AS boolean) AS sync, CAST(:max_runs AS bigint) AS max_runs,
         clock_timestamp() AS run_after, clock_timestamp() + make_interval(secs => :patience) AS deadline),
{accepted("new")}"""


_ACCEPT = Prepared(f"{accepting()} SELECT id FROM new")  # noqa: S608 - built from constants


def values_of(new: NewJob) -> dict[str, Any]:
    """Returns the values of the parameters of `accepting`."""
    return {
        "kind": str(new.kind), "class": str(new.kind.job_class), "app": new.app, "exclusive": new.kind.exclusive,
        "spec": None if new.spec is None else json.dumps(dict(new.spec)), "args": json.dumps(new.request.to_json()),
        "actor": new.actor, "dedupe_key": new.dedupe_key, "engine": new.engine, "cluster": new.cluster,
        "release": new.release, "execution": new.execution, "sync": new.sync, "max_runs": new.max_runs,
        "patience": new.patience,
    }  # fmt: skip


def accept(tx: Tx, new: NewJob) -> int:
    """Writes the job and its event; returns its id. The caller wakes the class after the commit."""
    job = int(run(tx, _ACCEPT, values_of(new)).scalar_one())
    notify(tx, EVENTS, str(job))
    return job


def coalesced(tx: Tx, kind: JobKind, app: str, dedupe_key: str) -> int | None:
    """Returns the queued or running job with this key, if there is one, so that a second request joins it."""
    return tx.scalar(
        select(JobRow.id).where(
            JobRow.kind == str(kind),
            JobRow.app == app,
            JobRow.dedupe_key == dedupe_key,
            JobRow.state.in_(OPEN),
        )
    )


def get(tx: Tx, job: int) -> Row:
    """Returns a job's row; raises NotFound."""
    row = tx.execute(select(JobRow).where(JobRow.id == job)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no job {job}", hint="norn jobs")
    return row


def open_of_kinds(tx: Tx, kinds: tuple[JobKind, ...], actor: str = "") -> int:
    """Returns the number of waiting and running jobs of these kinds, of one actor if it is given."""
    found = select(func.count()).where(JobRow.kind.in_(kinds), JobRow.state.in_(OPEN))
    return int(tx.scalar(found.where(JobRow.actor == actor) if actor else found) or 0)


def alone(tx: Tx, kind: JobKind) -> None:
    """Makes transactions that accept jobs of this kind wait for each other until this transaction ends."""
    tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('norn-jobs'), hashtext(:kind))"), {"kind": str(kind)})
