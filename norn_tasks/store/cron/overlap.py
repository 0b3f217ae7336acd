"""The running and waiting cron runs of a batch of apps.

A run counts as running while its lease is valid, while its container may exist, or between two tries. These facts end
even if the worker dies. A flag in a row would not: left behind by a dead worker, it would forbid every later run. A run
that did not begin by its deadline blocks no other run, because the sweeper ends it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import text

from norn_tasks.domain.jobs.requests import TRIGGER
from norn_tasks.domain.schedule import RunTrigger
from norn_tasks.store.database.session import Row, Tx


@dataclass
class Busy:
    """An app's runs: `active` ones are running; `waiting` (scheduled, with locked rows) and `manual` ones have not
    begun.
    """

    active: list[Row] = field(default_factory=list)
    waiting: list[Row] = field(default_factory=list)
    manual: list[Row] = field(default_factory=list)

    def sentence(self) -> str:
        """Returns why the next run cannot start, in a sentence about the oldest of these runs."""
        row = (self.active or self.waiting or self.manual)[0]
        if row["begun_at"] is None:
            return f"the earlier run {row['execution']} still waits to begin"
        if row["state"] == "queued":
            return f"the earlier run {row['execution']} has not ended: it goes on after {row['run_after']:%H:%M:%S} UTC"
        return f"run {row['execution']} has been running since {row['begun_at']:%Y-%m-%d %H:%M:%S} UTC"


_OPEN = text(f"""
SELECT j.*, x.scheduled_for, j.args ->> '{TRIGGER}' AS trigger,
       j.begun_at IS NOT NULL AND j.state = 'queued' OR j.container IS NOT NULL
         OR j.state = 'running' AND j.lease_until > clock_timestamp() AS active
  FROM (SELECT * FROM jobs WHERE class = 'cron' AND state = 'queued' AND app = ANY(:apps)
           AND (deadline IS NULL OR deadline >= clock_timestamp() OR begun_at IS NOT NULL)
        UNION ALL
        SELECT j.* FROM slots s JOIN jobs j ON j.id = s.job_id
         WHERE s.class = 'cron' AND s.app = ANY(:apps) AND j.state = 'running') j
  JOIN cron_executions x ON x.id = j.execution
 ORDER BY j.id""")  # noqa: S608 - built from a constant

_LOCK = text("SELECT id FROM jobs WHERE id = ANY(:jobs) AND state = 'queued' FOR UPDATE SKIP LOCKED")


def of(tx: Tx, apps: Iterable[str]) -> dict[str, Busy]:
    """Returns the runs of each of these apps; a run that a worker is just claiming counts as running."""
    found: dict[str, Busy] = defaultdict(Busy)
    rows = list(tx.execute(_OPEN, {"apps": list(apps)}).mappings())
    waiting = [row["id"] for row in rows if not row["active"] and row["state"] == "queued"]
    locked = {row.id for row in tx.execute(_LOCK, {"jobs": waiting})} if waiting else set()
    for row in rows:
        busy = found[row["app"]]
        if row["active"] or (row["state"] == "queued" and row["id"] not in locked):
            busy.active.append(row)
        elif row["state"] == "queued":
            (busy.manual if row["trigger"] == RunTrigger.MANUAL else busy.waiting).append(row)
    return found
