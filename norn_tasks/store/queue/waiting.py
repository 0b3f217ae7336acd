"""Explains why queued jobs wait: sentences that name the jobs or resources for which they wait."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.placement import described
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.fleet import memory
from norn_tasks.store.queue import builds
from norn_tasks.store.rules import ready, shares
from norn_tasks.store.rules.lists import CODE_CLASSES

_NAMED = 3
"""How many running jobs a sentence names."""


def reasons(tx: Tx, jobs: Sequence[int]) -> dict[int, str]:
    """Returns, for each of these jobs that is queued and could not begin now, the reason."""
    if not jobs:
        return {}
    asked = {"jobs": list(jobs)}
    found = {row["id"]: _busy(row) for row in tx.execute(_BUSY, asked).mappings()}
    found |= memory.waiting(tx, jobs)
    found |= {job: f"waits for {build}" for job, build in builds.waiting(tx, list(jobs)).items()}
    return found | {row.id: _behind(row.kind, row.other) for row in tx.execute(_BEHIND, asked)}


def _behind(kind: str, job: int) -> str:
    return f"waits for the {kind} of the same app (job {job}) to end"


def _busy(row: Row) -> str:
    job_class, app = JobClass(row["job_class"]), row["app"]
    if row["slots"] is None:
        return f"waits for a worker: no {job_class} worker is there"
    if row["lacking"]:
        return f"waits for a worker: no {job_class} worker {described(row['lacking'][0])}"
    if row["no_slot"]:
        return f"waits for a slot of {app}, which uses all the slots that it has"
    if row["full"] and job_class.runs_code:
        return f"waits: {app} has its share of the {job_class} workers, and the other slots are for other apps"
    if row["full"]:
        return f"waits for {_listed(row['running'])}: deploys get half of the slots of a worker"
    return f"waits for a worker: all {row['slots']} slots are taken, by {_listed(row['running'])}"


def _listed(running: list[str]) -> str:
    more = len(running) - _NAMED
    return ", ".join(running[:_NAMED]) + (f" and {more} more" if more > 0 else "")


_BEHIND = text(f"""
SELECT DISTINCT ON (c.id) c.id, o.id AS other, o.kind FROM jobs c
  JOIN jobs o ON {ready.EARLIER}
 WHERE c.id = ANY(:jobs) AND c.state = 'queued' AND c.exclusive
 ORDER BY c.id, o.state DESC, o.id""")  # noqa: S608 - built from constants

_LACKING = """ARRAY(SELECT r.capability FROM unnest(c.requires) WITH ORDINALITY AS r(capability, nth)
    WHERE NOT EXISTS (SELECT 1 FROM there t WHERE t.class = c.class AND r.capability = ANY(t.capabilities))
    ORDER BY r.nth)"""
"""The requirements of a job `c` that no worker of its class meets."""
_BUSY = text(f"""
WITH {shares.FULL},
per_class AS (SELECT class, sum(slots)::int AS slots, sum(busy)::int AS busy FROM there GROUP BY class),
waiting AS (
  SELECT c.id, c.app, c.class, p.slots, p.busy, {ready.NEEDS_SLOT} AS no_slot,
         {shares.IS_FULL} AS full, {_LACKING} AS lacking
    FROM jobs c LEFT JOIN per_class p ON p.class = c.class
   WHERE c.id = ANY(:jobs) AND {ready.ITS_TIME} AND NOT {ready.IS_BEHIND})
SELECT w.id, w.app, w.class AS job_class, w.slots, w.no_slot, w.full, w.lacking, ARRAY(
    SELECT CASE r.app WHEN '' THEN 'job ' || r.id ELSE format('the %s of %s (job %s)', r.kind, r.app, r.id) END
      FROM jobs r WHERE r.state = 'running' AND r.class = w.class
       AND (NOT w.full OR w.class IN {CODE_CLASSES} OR r.kind IN {shares.LONG}) ORDER BY r.id LIMIT 20) AS running
  FROM waiting w WHERE w.slots IS NULL OR w.lacking <> '{{}}' OR w.no_slot OR w.full OR w.busy >= w.slots""")  # noqa: S608
