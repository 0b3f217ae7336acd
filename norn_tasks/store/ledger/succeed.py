"""Ends runs that succeeded: their executions, steps, slots, memory and jobs, with their events, in one statement.

Most jobs are runs that succeed. Runs that end at the same moment are written in one statement. It passes over a row
that another session has locked, so that no run waits for another one's row. A run that it did not write is then written
alone, with several statements, like the other ways to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.execution import ExecutionState, ExecutionVerdict
from norn_tasks.domain.jobs.facts import Facts
from norn_tasks.domain.jobs.job import Fence, JobKind, JobState
from norn_tasks.domain.jobs.step import StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import ExecutionFinished
from norn_tasks.store.database.prepared import Prepared, arrays
from norn_tasks.store.database.session import EVENTS, Database
from norn_tasks.store.queue import endings, slots
from norn_tasks.store.rules.fence import held
from norn_tasks.store.runs import finishing


@dataclass(frozen=True)
class Success:
    """A run that succeeded, and the step that ends with it."""

    fence: Fence
    place: StepPosition
    note: str
    verdict: ExecutionVerdict


_COLUMNS = {
    "job": "bigint", "token": "bigint", "n": "bigint", "name": "text", "note": "text", "cause": "text",
    "sentence": "text", "hint": "text", "exit_code": "bigint", "duration_ms": "bigint",
}  # fmt: skip
_OF_A_CALL = {"answer": "bytea", "size": "bigint", "stderr": "bytea"}
_OF_OTHERS = {"stdout": "text", "stdout_dropped": "bigint", "stderr": "text", "stderr_dropped": "bigint"}

_VERDICT = """state = 'succeeded', cause = job.cause, sentence = job.sentence, hint = job.hint,
    exit_code = job.exit_code, finished_at = clock_timestamp(), duration_ms = job.duration_ms"""
_OUTPUT = f"""run AS (
  UPDATE {{table}} x SET {_VERDICT}, stdout = job.stdout, stdout_dropped = job.stdout_dropped,
    stderr = job.stderr, stderr_dropped = job.stderr_dropped FROM job WHERE x.id = job.execution)"""  # noqa: S608
_ANSWER = f"""run AS (
  UPDATE func_executions x SET {_VERDICT}, response_size = job.size FROM job WHERE x.id = job.execution),
bytes AS (
  UPDATE execution_io x SET response = job.answer, stderr = job.stderr FROM job WHERE x.execution = job.execution)"""  # noqa: S608


def _columns(kind: JobKind) -> dict[str, str]:
    return _COLUMNS | (_OF_A_CALL if kind is JobKind.INVOKE else _OF_OTHERS)


def _statement(kind: JobKind, execution: str) -> Prepared:
    return Prepared(f"""
WITH these AS MATERIALIZED ({arrays(_columns(kind))}),
mine AS MATERIALIZED (
  SELECT t.* FROM these t JOIN jobs j ON {held("j", "t.job", "t.token")} AND j.kind = '{kind}' AND NOT j.exclusive
   ORDER BY t.job FOR UPDATE OF j SKIP LOCKED),
job AS (
  UPDATE jobs j SET state = 'succeeded', ended_at = clock_timestamp(), lease_until = NULL, error = NULL,
     event_seq = j.event_seq + 3
    FROM mine m WHERE j.id = m.job
  RETURNING j.id, j.app, j.kind, j.execution, j.facts, j.event_seq - 3 AS seq, m.*),
{execution},
step AS (
  INSERT INTO steps(job_id, n, name, state, token, ended_at, note)
  SELECT id, n, name, 'succeeded', token, clock_timestamp(), note FROM job
  ON CONFLICT (job_id, n) DO UPDATE SET state = 'succeeded', token = excluded.token, ended_at = excluded.ended_at,
     note = excluded.note, error = NULL
  RETURNING job_id, greatest(extract(epoch FROM ended_at - started_at), 0)::float8 AS seconds),
{slots.RELEASED},
published AS (
  INSERT INTO events(kind, app, job_id, seq, data)
  SELECT e.kind, job.app, job.id, job.seq + e.n, e.data FROM job JOIN step ON step.job_id = job.id, LATERAL (VALUES
    (1, '{EventKind.EXECUTION_ENDED}', jsonb_build_object(
        'execution', job.execution, 'state', 'succeeded', 'exit_code', job.exit_code)),
    (2, '{EventKind.STEP_ENDED}', jsonb_build_object('n', job.n, 'name', job.name, 'state', 'succeeded',
        'note', job.note, 'seconds', step.seconds, 'error', NULL)),
    (3, '{EventKind.JOB_ENDED}', jsonb_build_object('state', 'succeeded', 'error', NULL, 'kind', job.kind))
  ) e(n, kind, data) ORDER BY job.id, e.n)
SELECT id, token, facts FROM job""")  # noqa: S608 - built from constants


_STATEMENTS = {
    kind: _statement(kind, _ANSWER if kind is JobKind.INVOKE else _OUTPUT.format(table=table.__tablename__))
    for kind, table in endings.EXECUTION_TABLES.items()
}
KINDS = tuple(_STATEMENTS)
"""The kinds of jobs that are runs."""


def success_of(fence: Fence, place: StepPosition, end: StepEnd) -> Success | None:
    """Returns a Success if this end of a step also ends a run successfully and has nothing else to write; otherwise
    None.
    """
    if end.ends is not JobState.SUCCEEDED or end.state is not StepState.SUCCEEDED:
        return None
    if end.learned.facts or len(end.learned.writes) != 1:
        return None
    (write,) = end.learned.writes
    if not isinstance(write, ExecutionFinished) or write.finished.state is not ExecutionState.SUCCEEDED:
        return None
    return Success(fence, place, end.learned.note, write.finished)


def succeed(database: Database, kind: JobKind, these: Sequence[Success]) -> list[Facts | None]:
    """Ends these runs of one kind in one transaction; returns for each the facts of its job, or None if it was not
    written.
    """
    rows = [_row(kind, each) for each in these]
    values = {name: [row[name] for row in rows] for name in _columns(kind)}
    written = database.execute_autocommit(_STATEMENTS[kind], values, lambda row: (EVENTS, str(row["id"])))
    facts = {Fence(row["id"], row["token"]): Facts.from_json(row["facts"]) for row in written}
    return [facts.get(each.fence) for each in these]


def _row(kind: JobKind, success: Success) -> dict[str, Any]:
    ended = success.verdict.ended
    return {
        **finishing.outcome(success.verdict),
        **(finishing.answer(ended) if kind is JobKind.INVOKE else finishing.streams(ended)),
        "job": success.fence.job, "token": success.fence.token, "n": success.place.n, "name": success.place.name,
        "note": success.note,
    }  # fmt: skip
