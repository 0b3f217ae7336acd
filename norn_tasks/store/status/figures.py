"""Figures about jobs: how many wait and run, and how the most recent jobs and executions ended.

There may be a million past jobs. So ended jobs are counted only among the newest ones, which keeps the query fast.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import readiness
from norn_tasks.store.queue.readiness import QueueDepth
from norn_tasks.store.rules.lists import OPEN_STATES

RECENT = 10_000
"""How many of the newest jobs and executions are read for the figures about the past."""

_JOBS = f"""
SELECT class, state, count(*) AS how_many FROM (
  SELECT class, state FROM jobs WHERE state IN {OPEN_STATES}
  UNION ALL
  SELECT class, state FROM (SELECT class, state FROM jobs ORDER BY id DESC LIMIT :recent) newest
   WHERE state NOT IN {OPEN_STATES}
) counted GROUP BY class, state ORDER BY class, state
"""  # noqa: S608 - built from a constant
_EXECUTIONS = """
SELECT state, count(*) AS how_many
  FROM (SELECT state, created_at FROM {table} ORDER BY id DESC LIMIT :recent) newest
 WHERE created_at > clock_timestamp() - interval '1 hour' GROUP BY state ORDER BY state
"""


@dataclass(frozen=True)
class Figures:
    """Jobs by class and state, executions of the last hour by state, and the queues."""

    jobs: dict[str, dict[str, int]]
    cron_runs: dict[str, int]
    calls: dict[str, int]
    queues: dict[str, QueueDepth]


def figures(tx: Tx) -> Figures:
    """Returns the current figures."""
    jobs: dict[str, dict[str, int]] = {}
    for row in tx.execute(text(_JOBS), {"recent": RECENT}):
        jobs.setdefault(row[0], {})[row.state] = row.how_many
    return Figures(jobs, _executions(tx, "cron_executions"), _executions(tx, "func_executions"), readiness.depths(tx))


def _executions(tx: Tx, table: str) -> dict[str, int]:
    rows = tx.execute(text(_EXECUTIONS.format(table=table)), {"recent": RECENT})
    return {row.state: row.how_many for row in rows}
