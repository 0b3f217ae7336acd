"""The job table as a queue: accepting a job, and the two claims that hand it to exactly one worker.

The claims are the design's (reliability.md): the query chooses, oldest first; exclusive jobs of an app in order of
acceptance; classes with slots the app with the fewest running first, and of it a call that somebody waits for. Row
locks with SKIP LOCKED keep claimers apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, text

from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.event import EventKind
from norn_tasks.domain.job import JobClass, JobKind
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


_READY = """{c}.class = :class AND {c}.state = 'queued' AND {c}.run_after <= clock_timestamp()
  AND {c}.cancel_requested_at IS NULL AND {c}.claims < :max_claims AND ({c}.engine IS NULL OR {c}.engine = :engine)"""

_TAKE = """UPDATE jobs j SET state = 'running', claims = claims + 1, lease_token = nextval('fence'),
  lease_owner = :worker, lease_until = clock_timestamp() + make_interval(secs => :lease),
  first_claimed_at = coalesce(first_claimed_at, clock_timestamp())"""

_BACK = """RETURNING j.*, extract(epoch FROM j.deadline - clock_timestamp())::float8 AS remaining"""

_CLAIM_PLAIN = text(f"""
{_TAKE}
 WHERE j.state = 'queued' AND j.id = (
  SELECT c.id FROM jobs c WHERE {_READY.format(c="c")}
     AND NOT (c.exclusive AND EXISTS (SELECT 1 FROM jobs o
          WHERE o.app = c.app AND o.exclusive AND o.id < c.id AND o.state IN ('queued', 'running')))
   ORDER BY c.id FOR UPDATE SKIP LOCKED LIMIT 1)
{_BACK}""")  # noqa: S608 - built from constants

_CLAIM_KEPT_SLOT = text(f"""
{_TAKE}
 WHERE j.state = 'queued' AND j.id = (
  SELECT c.id FROM slots s JOIN jobs c ON c.id = s.job_id
   WHERE s.class = :class AND {_READY.format(c="c")}
   ORDER BY c.id FOR UPDATE OF c SKIP LOCKED LIMIT 1)
{_BACK}""")  # noqa: S608 - built from constants

_CLAIM_SLOT = text(f"""
WITH RECURSIVE head AS (
  (SELECT c.app, c.id FROM jobs c WHERE {_READY.format(c="c")} ORDER BY c.app, c.id LIMIT 1)
  UNION ALL
  SELECT n.app, n.id FROM head h, LATERAL (
    SELECT c.app, c.id FROM jobs c WHERE {_READY.format(c="c")} AND c.app > h.app ORDER BY c.app, c.id LIMIT 1) n),
slot AS (
  SELECT s.app, s.n FROM head h JOIN slots s ON s.class = :class AND s.app = h.app AND s.job_id IS NULL
   ORDER BY (SELECT count(*) FROM slots r WHERE r.class = :class AND r.app = h.app AND r.job_id IS NOT NULL), h.id
   FOR UPDATE OF s SKIP LOCKED LIMIT 1),
job AS (
  SELECT c.id, slot.app, slot.n FROM slot JOIN jobs c ON c.app = slot.app AND {_READY.format(c="c")}
     AND NOT EXISTS (SELECT 1 FROM slots k WHERE k.job_id = c.id)
   ORDER BY c.sync DESC, c.id FOR UPDATE OF c SKIP LOCKED LIMIT 1),
held AS (
  UPDATE slots s SET job_id = job.id FROM job WHERE s.class = :class AND s.app = job.app AND s.n = job.n)
{_TAKE}
  FROM job WHERE j.id = job.id AND j.state = 'queued'
{_BACK}""")  # noqa: S608 - built from constants


@dataclass(frozen=True)
class Claimer:
    """Who claims: a worker of one class, on an engine (None while it does not answer)."""

    worker: str
    job_class: JobClass
    engine: str | None
    lease: float
    max_claims: int


def claim(tx: Tx, claimer: Claimer) -> Row | None:
    """Takes the next ready job of the class for this worker, and answers its row; None when there is none."""
    bound = {
        "class": str(claimer.job_class),
        "engine": claimer.engine,
        "worker": claimer.worker,
        "lease": claimer.lease,
        "max_claims": claimer.max_claims,
    }
    slotted = claimer.job_class in (JobClass.INVOKE, JobClass.CRON)
    for statement in (_CLAIM_KEPT_SLOT, _CLAIM_SLOT) if slotted else (_CLAIM_PLAIN,):
        row = tx.execute(statement, bound).mappings().one_or_none()
        if row is not None:
            return row
    return None


def get(tx: Tx, job: int) -> Row:
    """Answers a job's row; raises NotFound."""
    row = tx.execute(select(JobRow).where(JobRow.id == job)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no job {job}", hint="norn jobs")
    return row
