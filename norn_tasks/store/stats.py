"""Figures about the ledger: what waits, what runs, and how the recent past ended.

Past jobs may be a million: what has ended is counted among the newest only, so that the answer stays quick.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.store.session import Tx

RECENT = 10_000
"""How many of the newest jobs and executions the figures about the past look at."""

_JOBS = """
SELECT class, state, count(*) AS how_many FROM (
  SELECT class, state FROM jobs WHERE state IN ('queued', 'running')
  UNION ALL
  SELECT class, state FROM (SELECT class, state FROM jobs ORDER BY id DESC LIMIT :recent) newest
   WHERE state NOT IN ('queued', 'running')
) counted GROUP BY class, state ORDER BY class, state
"""
_EXECUTIONS = """
SELECT state, count(*) AS how_many
  FROM (SELECT state, created_at FROM {table} ORDER BY id DESC LIMIT :recent) newest
 WHERE created_at > clock_timestamp() - interval '1 hour' GROUP BY state ORDER BY state
"""
_QUEUES = """
SELECT class, count(*) AS depth,
       extract(epoch FROM clock_timestamp() - min(greatest(created_at, run_after)))::float8 AS oldest
  FROM jobs WHERE state = 'queued' AND run_after <= clock_timestamp() AND cancel_requested_at IS NULL
 GROUP BY class
"""


@dataclass(frozen=True)
class Queue:
    """The ready jobs of a class, and how many seconds the oldest has waited."""

    depth: int
    oldest_seconds: float


@dataclass(frozen=True)
class Figures:
    """Jobs by class and state, executions of the last hour by state, and the queues."""

    jobs: dict[str, dict[str, int]]
    cron_runs: dict[str, int]
    calls: dict[str, int]
    queues: dict[str, Queue]


def figures(tx: Tx) -> Figures:
    """Counts."""
    jobs: dict[str, dict[str, int]] = {}
    for row in tx.execute(text(_JOBS), {"recent": RECENT}):
        jobs.setdefault(row[0], {})[row.state] = row.how_many
    queues = {row[0]: Queue(row.depth, round(max(0.0, row.oldest), 3)) for row in tx.execute(text(_QUEUES))}
    return Figures(jobs, _executions(tx, "cron_executions"), _executions(tx, "func_executions"), queues)


def _executions(tx: Tx, table: str) -> dict[str, int]:
    rows = tx.execute(text(_EXECUTIONS.format(table=table)), {"recent": RECENT})
    return {row.state: row.how_many for row in rows}
