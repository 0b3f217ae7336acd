"""Writes decided occurrences in batches: their ticks, jobs, executions and events.

Each function is one statement for the complete batch. The unique key `(app, scheduled_for)` is only a safety net: it
prevents a second row, and so a second run, of the same occurrence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.requests import TRIGGER
from norn_tasks.domain.schedule import RunTrigger, Verdict
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue.jobs import accepted


@dataclass(frozen=True)
class SkippedOccurrence:
    """An occurrence that does not run; with `until`, a range of occurrences that begins with this one and may grow."""

    app: str
    scheduled_for: datetime
    verdict: Verdict
    reason: str
    until: datetime | None = None
    how_many: int = 1
    actor: str | None = None


@dataclass(frozen=True)
class Started:
    """An occurrence that gets a run: the run begins no earlier than `planned_at`, and no later than `deadline`.

    `job` is None for a new run; otherwise it is the job of a waiting run that is used for this occurrence. Then the
    earlier occurrence of that run gets the verdict `left` with the reason `left_reason`.
    """

    app: str
    scheduled_for: datetime
    verdict: Verdict
    reason: str
    trigger: RunTrigger
    planned_at: datetime
    deadline: datetime
    job: int | None = None
    left: Verdict | None = None
    left_reason: str = ""


_TYPES = {
    "app": "text", "scheduled_for": "timestamptz", "verdict": "text", "reason": "text", "until": "timestamptz",
    "how_many": "bigint", "actor": "text", "trigger": "text", "planned_at": "timestamptz", "deadline": "timestamptz",
    "job": "bigint", "left": "text", "left_reason": "text", "tick": "bigint",
}  # fmt: skip


def table(*names: str) -> str:
    """Returns the SQL of a batch as a table with these columns, and with the column `place` for the order."""
    arrays = ", ".join(f"CAST(:{name} AS {_TYPES[name]}[])" for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    return f"unnest({arrays}) WITH ORDINALITY AS given({columns}, place)"


def columns(batch: Sequence[object], *names: str) -> dict[str, list[Any]]:
    """Returns the values of a batch for `table()`."""
    return {name: [getattr(each, name) for each in batch] for name in names}


_LIVE = "JOIN live_releases r ON r.app = given.app"

_DECIDED = """INSERT INTO events(kind, app, data)
  SELECT 'tick.decided', app, jsonb_build_object('scheduled_for', scheduled_for, 'verdict', verdict) FROM tick"""

_SKIP = ("app", "scheduled_for", "verdict", "reason", "until", "how_many", "actor")
_SKIPPING = text(f"""
WITH tick AS (
  INSERT INTO cron_ticks(app, scheduled_for, verdict, reason, until, how_many, actor, decided_by)
  SELECT app, scheduled_for, verdict, reason, until, how_many, actor, :decider FROM {table(*_SKIP)}
  ON CONFLICT DO NOTHING RETURNING id, app, scheduled_for, verdict),
announced AS ({_DECIDED})
SELECT id, app, scheduled_for FROM tick""")  # noqa: S608 - built from constants

_START = ("app", "scheduled_for", "verdict", "reason", "trigger", "planned_at", "deadline")
_STARTING = text(f"""
WITH due AS MATERIALIZED (
  SELECT ordered.*, nextval('jobs_id_seq') AS job, nextval('executions') AS execution FROM (
    SELECT given.*, r.n AS release, r.image_id, r.engine, r.spec FROM {table(*_START)} {_LIVE} ORDER BY place) ordered),
tick AS (
  INSERT INTO cron_ticks(app, scheduled_for, verdict, reason, job_id, execution, decided_by)
  SELECT app, scheduled_for, verdict, reason, job, execution, :decider FROM due
  ON CONFLICT DO NOTHING RETURNING app, scheduled_for, verdict, job_id),
run AS (SELECT due.* FROM due JOIN tick ON tick.job_id = due.job),
new AS (
  SELECT job AS id, '{JobKind.CRON_RUN}' AS kind, '{JobClass.CRON}' AS class, app, false AS exclusive, spec,
         jsonb_build_object('{TRIGGER}', trigger) AS args, 'schedule' AS actor, CAST(NULL AS text) AS dedupe_key,
         engine, CAST(NULL AS text) AS cluster, release, execution, false AS sync,
         1 + CAST(spec->'retries'->>'max' AS bigint) AS max_runs, planned_at AS run_after, deadline FROM run),
{accepted("new")},
execution AS (
  INSERT INTO cron_executions(id, app, job_id, release, image_id, actor, trigger, scheduled_for, planned_at)
  SELECT execution, app, job, release, image_id, 'schedule', trigger, scheduled_for, planned_at FROM run),
announced AS ({_DECIDED})
SELECT count(*) FROM run""")  # noqa: S608 - built from constants

_MOVE = (*_START, "job", "left", "left_reason")
_MOVING = text(f"""
WITH due AS MATERIALIZED (
  SELECT given.*, j.execution, x.scheduled_for AS before, r.n AS release, r.image_id, r.engine, r.spec
    FROM {table(*_MOVE)} {_LIVE} JOIN jobs j ON j.id = given.job JOIN cron_executions x ON x.id = j.execution),
tick AS (
  INSERT INTO cron_ticks(app, scheduled_for, verdict, reason, job_id, execution, decided_by)
  SELECT app, scheduled_for, verdict, reason, job, execution, :decider FROM due
  ON CONFLICT DO NOTHING RETURNING app, scheduled_for, verdict, job_id),
run AS (SELECT due.* FROM due JOIN tick ON tick.job_id = due.job),
behind AS (
  UPDATE cron_ticks k SET verdict = run."left", reason = run.left_reason, job_id = NULL, execution = NULL,
         decided_at = CASE WHEN run."left" = 'missed' THEN clock_timestamp() ELSE k.decided_at END
    FROM run WHERE k.app = run.app AND k.scheduled_for = run.before AND k.job_id = run.job),
job AS (
  UPDATE jobs j SET spec = run.spec, args = j.args || jsonb_build_object('{TRIGGER}', run.trigger), engine = run.engine,
         release = run.release, max_runs = 1 + CAST(run.spec->'retries'->>'max' AS bigint),
         run_after = run.planned_at, deadline = run.deadline
    FROM run WHERE j.id = run.job),
execution AS (
  UPDATE cron_executions x SET scheduled_for = run.scheduled_for, planned_at = run.planned_at, trigger = run.trigger,
         release = run.release, image_id = run.image_id
    FROM run WHERE x.id = run.execution),
announced AS ({_DECIDED})
SELECT count(*) FROM run""")  # noqa: S608 - built from constants


def skip(tx: Tx, batch: Sequence[SkippedOccurrence], decider: str) -> dict[tuple[str, datetime], int]:
    """Writes occurrences that do not run; returns the ids of the rows that were written."""
    if not batch:
        return {}
    rows = tx.execute(_SKIPPING, columns(batch, *_SKIP) | {"decider": decider})
    return {(row.app, row.scheduled_for): row.id for row in rows}


def start(tx: Tx, batch: Sequence[Started], decider: str) -> int:
    """Writes occurrences that run, each with its job and execution; returns the number of accepted runs.

    The caller wakes the class after the commit, and sends one NOTIFY for the whole batch.
    """
    new = [each for each in batch if each.job is None]
    moved = [each for each in batch if each.job is not None]
    accepted = 0
    if new:
        accepted += int(tx.scalar(_STARTING, columns(new, *_START) | {"decider": decider}) or 0)
    if moved:
        accepted += int(tx.scalar(_MOVING, columns(moved, *_MOVE) | {"decider": decider}) or 0)
    return accepted
