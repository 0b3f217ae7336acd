"""How workers' slots are shared out, in SQL; `share_of` and `has_place` of `domain.jobs.placement` are the same rules
in Python.
"""

from __future__ import annotations

from norn_tasks.domain.jobs.placement import DEPLOYS, LONG_KINDS, SLOTS_PER_FREE_SLOT
from norn_tasks.store.rules.lists import CODE_CLASSES

LONG = f"({', '.join(repr(str(kind)) for kind in LONG_KINDS)})"
"""The kinds of jobs that count together as deploys, in SQL."""


def share(job: str) -> str:
    """Returns SQL for the name under which a job is counted; NULL for a job that may take any free slot."""
    return f"CASE WHEN {job}.class IN {CODE_CLASSES} THEN {job}.app WHEN {job}.kind IN {LONG} THEN '{DEPLOYS}' END"


_HAS_PLACE = f"""CASE WHEN w.class IN {CODE_CLASSES}
  THEN coalesce(m.jobs, 0) = 0
    OR w.slots - w.busy > 1 AND coalesce(m.jobs, 0) < {SLOTS_PER_FREE_SLOT} * (w.slots - w.busy)
  ELSE coalesce(m.jobs, 0) < greatest(w.slots / 2, 1) END"""

FULL = f"""taken AS MATERIALIZED (
  SELECT r.lease_owner, r.class, {share("r")} AS share, count(*) AS jobs
    FROM jobs r WHERE r.state = 'running' GROUP BY 1, 2, 3),
there AS MATERIALIZED (
  SELECT w.name, w.class, w.slots, w.capabilities,
         (SELECT coalesce(sum(t.jobs), 0) FROM taken t WHERE t.lease_owner = w.name AND t.class = w.class) AS busy
    FROM workers w WHERE w.draining_at IS NULL AND w.seen_at > clock_timestamp() - interval '60 s'),
full_shares AS MATERIALIZED (
  SELECT DISTINCT t.class, t.share FROM taken t
   WHERE t.share IS NOT NULL AND t.class IN (SELECT class FROM there) AND NOT EXISTS (
     SELECT 1 FROM there w
       LEFT JOIN taken m ON m.lease_owner = w.name AND m.class = w.class AND m.share = t.share
      WHERE w.class = t.class AND {_HAS_PLACE}))"""  # noqa: S608 - built from constants
"""Common table expressions: `taken` slots, the workers that are `there`, and the shares that are full in all of them.

They follow a `WITH`. Each worker also counts its own jobs, which is more exact than this SQL (`worker.shares`).
"""

IS_FULL = f"""(NOT c.adopt AND EXISTS (
    SELECT 1 FROM full_shares f WHERE f.class = c.class AND f.share = {share("c")}))"""  # noqa: S608
"""True for a queued job `c` if no worker can give another slot to jobs that are counted under the same name."""
