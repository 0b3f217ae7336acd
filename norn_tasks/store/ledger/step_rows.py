"""The rows of a job's steps: a step begins, and ends with an event. The caller has locked the job's row."""

from __future__ import annotations

import json

from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.step import StepEnd, StepPosition, StepState
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.events.publishing import publish

_BEGIN_STEP = Prepared("""
INSERT INTO steps(job_id, n, name, state, token, once) VALUES (:job, :n, :name, 'running', :token, :once)
ON CONFLICT (job_id, n) DO UPDATE SET state = 'running', once = :once, attempts = steps.attempts + 1, token = :token,
   started_at = clock_timestamp(), ended_at = NULL, note = '', error = NULL""")
_CLOSE_STEP = Prepared("""
INSERT INTO steps(job_id, n, name, state, token, ended_at, note, error)
VALUES (:job, :n, :name, :state, :token, clock_timestamp(), :note, CAST(:error AS jsonb))
ON CONFLICT (job_id, n) DO UPDATE SET state = :state, token = :token, ended_at = clock_timestamp(), note = :note,
   error = CAST(:error AS jsonb)
RETURNING extract(epoch FROM ended_at - started_at)::float8 AS seconds""")


def begin(tx: Tx, fence: Fence, place: StepPosition, *, once: bool) -> None:
    """Records that a step begins; counts another attempt if an earlier owner of the job had begun it. `once`: the step
    is never repeated.
    """
    values = {"job": fence.job, "token": fence.token, "n": place.n, "name": place.name, "once": once}
    run(tx, _BEGIN_STEP, values)


def close(tx: Tx, row: Row, fence: Fence, place: StepPosition, end: StepEnd) -> None:
    """Writes the end of a step, and publishes it."""
    _publish_end(tx, row, place, end, _close_step(tx, fence, place, end))


def _close_step(tx: Tx, fence: Fence, place: StepPosition, end: StepEnd) -> float:
    """Writes the step's end; returns its duration in seconds."""
    error = json.dumps(end.problem.to_json()) if end.problem and end.state is not StepState.SKIPPED else None
    closed = run(
        tx, _CLOSE_STEP,
        {
            "job": fence.job, "n": place.n, "name": place.name, "state": str(end.state), "token": fence.token,
            "note": end.learned.note, "error": error,
        },
    )  # fmt: skip
    return float(closed.scalar_one())


def _publish_end(tx: Tx, row: Row, place: StepPosition, end: StepEnd, seconds: float) -> None:
    problem = end.problem.to_json() if end.problem else None
    publish(
        tx, EventKind.STEP_ENDED, app=row["app"], job=row["id"],
        n=place.n, name=place.name, state=str(end.state), note=end.learned.note, seconds=seconds, error=problem,
    )  # fmt: skip
