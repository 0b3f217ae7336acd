"""Ends a run that succeeded: its execution, step, slot, memory and job, with their events, in one statement.

Most jobs are runs that succeed. With separate statements, as other ends still use, such an end took nine statements,
and four of them changed the job's row.
"""

from __future__ import annotations

from typing import Any

from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.execution import ExecutionState, ExecutionVerdict
from norn_tasks.domain.jobs.job import JobKind, JobState
from norn_tasks.domain.jobs.step import StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import ExecutionFinished
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import EVENTS, Row, Tx, note
from norn_tasks.store.queue import endings, slots
from norn_tasks.store.runs import finishing

CLOSE_STEP = """
INSERT INTO steps(job_id, n, name, state, token, ended_at, note, error)
VALUES (:job, :n, :name, :state, :token, clock_timestamp(), :note, CAST(:error AS jsonb))
ON CONFLICT (job_id, n) DO UPDATE SET state = :state, token = :token, ended_at = clock_timestamp(), note = :note,
   error = CAST(:error AS jsonb)
RETURNING extract(epoch FROM ended_at - started_at)::float8 AS seconds"""

_VERDICT = """state = 'succeeded', cause = :cause, sentence = :sentence, hint = :hint, exit_code = :exit_code,
    finished_at = clock_timestamp(), duration_ms = :duration_ms"""
_OUTPUT = f"""run AS (
  UPDATE {{table}} x SET {_VERDICT},
    stdout = :stdout, stdout_dropped = :stdout_dropped, stderr = :stderr, stderr_dropped = :stderr_dropped
    FROM job WHERE x.id = job.execution)"""  # noqa: S608 - built from constants
_ANSWER = f"""run AS (
  UPDATE func_executions x SET {_VERDICT}, response_size = :size FROM job WHERE x.id = job.execution),
bytes AS (
  UPDATE execution_io x SET response = :answer, stderr = :stderr FROM job WHERE x.execution = job.execution)"""  # noqa: S608


def _statement(execution: str) -> Prepared:
    return Prepared(f"""
WITH job AS (
  UPDATE jobs SET state = 'succeeded', ended_at = clock_timestamp(), lease_until = NULL, error = NULL,
     event_seq = event_seq + 3
   WHERE id = :job RETURNING id, app, kind, execution, event_seq - 3 AS seq),
{execution},
step AS ({CLOSE_STEP}),
{slots.RELEASED}
INSERT INTO events(kind, app, job_id, seq, data)
SELECT e.kind, job.app, job.id, job.seq + e.n, e.data FROM job, step, LATERAL (VALUES
    (1, '{EventKind.EXECUTION_ENDED}', jsonb_build_object(
        'execution', job.execution, 'state', 'succeeded', 'exit_code', CAST(:exit_code AS bigint))),
    (2, '{EventKind.STEP_ENDED}', jsonb_build_object(
        'n', CAST(:n AS bigint), 'name', CAST(:name AS text), 'state', CAST(:state AS text),
        'note', CAST(:note AS text), 'seconds', step.seconds, 'error', NULL)),
    (3, '{EventKind.JOB_ENDED}', jsonb_build_object('state', 'succeeded', 'error', NULL, 'kind', job.kind))
  ) e(n, kind, data) ORDER BY e.n""")  # noqa: S608 - built from constants


_STATEMENTS = {
    kind: _statement(_ANSWER if kind is JobKind.INVOKE else _OUTPUT.format(table=table.__tablename__))
    for kind, table in endings.EXECUTION_TABLES.items()
}


def verdict_of(row: Row, end: StepEnd) -> ExecutionVerdict | None:
    """Returns the verdict of the job's run if the run succeeded and the step has nothing else to write;
    otherwise None.
    """
    if end.ends is not JobState.SUCCEEDED or end.state is not StepState.SUCCEEDED or row["kind"] not in _STATEMENTS:
        return None
    if end.learned.facts or len(end.learned.writes) != 1 or row["exclusive"]:
        return None
    (write,) = end.learned.writes
    succeeded = isinstance(write, ExecutionFinished) and write.finished.state is ExecutionState.SUCCEEDED
    return write.finished if isinstance(write, ExecutionFinished) and succeeded else None


def succeed(tx: Tx, row: Row, place: StepPosition, end: StepEnd, verdict: ExecutionVerdict) -> None:
    """Ends the job of `row` and its run; the caller has locked the row under the job's fence."""
    kind = JobKind(row["kind"])
    values: dict[str, Any] = {
        **finishing.outcome(verdict),
        **(finishing.answer(verdict.ended) if kind is JobKind.INVOKE else finishing.streams(verdict.ended)),
        "job": row["id"], "token": row["lease_token"], "n": place.n, "name": place.name, "state": str(end.state),
        "note": end.learned.note, "error": None, "extra": slots.EXTRA,
    }  # fmt: skip
    run(tx, _STATEMENTS[kind], values)
    note(tx, EVENTS, str(row["id"]))
