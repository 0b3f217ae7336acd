"""The claim of several runs at once, for a worker that has several free slots.

One statement finds and locks, in the same order, the jobs that single claims would take one after the other, and a free
slot for each. The worker then chooses among them, and counts their memory and its own shares job by job. A second
statement takes the chosen jobs. Both belong to one transaction, at whose end the locks of the other jobs are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.store.database.prepared import Prepared, arrays, run
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.fleet import memory
from norn_tasks.store.queue.claims import BACK, COMPARED, FIXED, LOOK, READY, TAKE, Claimer, bound

_WANTED = "CAST(:count AS bigint)"
_NEW = f"""FROM jobs c WHERE {READY} AND c.app = {{0}}.app AND NOT EXISTS (SELECT 1 FROM slots k WHERE k.job_id = c.id)
    ORDER BY c.sync DESC, c.id"""  # noqa: S608 - built from constants

# `next` has, for each app, the jobs that the app would get if the whole batch were for this app, numbered in the order
# of their claims. A single claim takes a job of the app with the fewest running jobs, and among equal apps of the app
# with the oldest ready job. The earlier jobs of the batch count as running. So the first jobs of this order are those
# that single claims, one after the other, would take.
_FIND = Prepared(
    f"""
WITH RECURSIVE {COMPARED},
ranked AS MATERIALIZED (
  SELECT h.app, h.id, busy, there - busy AS free FROM head h, LATERAL (
    SELECT count(s.job_id) AS busy, count(*) FILTER (WHERE NOT s.surplus) AS there
      FROM slots s WHERE s.class = :class AND s.app = h.app) of_app
   WHERE busy < there ORDER BY busy, h.id LIMIT {_WANTED}),
next AS (
  SELECT r.app, r.busy, r.id AS oldest, c.id, row_number() OVER one AS k,
         bool_or(c.id = r.id) OVER (one ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS passed,
         min(c.id) OVER (one ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS left_over
    FROM ranked r, LATERAL (SELECT c.id, c.sync {_NEW.format("r")} LIMIT least(r.free, {_WANTED})) c
  WINDOW one AS (PARTITION BY r.app ORDER BY c.sync DESC, c.id)),
chosen AS MATERIALIZED (
  SELECT app, busy, count(*) AS jobs FROM (
    SELECT app, busy FROM next
     ORDER BY busy + k, CASE WHEN passed THEN left_over ELSE least(oldest, left_over) END LIMIT {_WANTED}) first
   GROUP BY app, busy),
slot AS MATERIALIZED (
  SELECT w.app, s.n FROM chosen w, LATERAL (
    SELECT s.n FROM slots s WHERE s.class = :class AND s.app = w.app AND s.job_id IS NULL
     ORDER BY s.n FOR UPDATE SKIP LOCKED LIMIT w.jobs) s),
job AS MATERIALIZED (
  SELECT w.app, w.busy, c.* FROM chosen w, LATERAL (
    SELECT c.id, c.sync, c.kind, c.adopt, {memory.need("CAST(:building AS bigint)")} AS need {_NEW.format("w")}
       FOR UPDATE OF c SKIP LOCKED LIMIT w.jobs) c)
SELECT j.id, j.app, j.kind, j.adopt, j.need, s.n FROM (
    SELECT job.*, row_number() OVER (PARTITION BY app ORDER BY sync DESC, id) AS k FROM job) j
  JOIN (SELECT slot.*, row_number() OVER (PARTITION BY app ORDER BY n) AS k FROM slot) s ON s.app = j.app AND s.k = j.k
 ORDER BY j.busy + j.k, j.id""",  # noqa: S608 - built from constants
    fixed=FIXED,
)

_SEVERAL = Prepared(
    f"""
WITH these AS MATERIALIZED ({arrays({"id": "bigint", "app": "text", "n": "bigint"})}),
held AS (
  UPDATE slots s SET job_id = t.id FROM these t WHERE s.class = :class AND s.app = t.app AND s.n = t.n)
{TAKE}
  FROM these t WHERE j.id = t.id AND j.state = 'queued'
{BACK}""",  # noqa: S608 - built from constants
    fixed=("class",),
)

Admit = Callable[[JobKind, str], bool]
"""Counts a job of this kind and app in the share that it uses; returns False if the share is full."""


@dataclass(frozen=True)
class Found:
    """The jobs that a claim of several took. `due`: False if no job of the class was due at all."""

    rows: Sequence[Row]
    due: bool = True


def claim_together(tx: Tx, claimer: Claimer, count: int, admit: Admit) -> Found:
    """Takes at most `count` ready runs for this worker, in the order in which single claims would take them.

    Takes none while a due job has kept its slot; a single claim takes that job first.
    """
    values = {"class": str(claimer.job_class), "engine": claimer.engine}
    seen = run(tx, LOOK, values).one()
    if not seen.due or seen.kept:
        return Found((), due=seen.due)
    room = memory.Room() if seen.free is None else memory.Room(seen.free, seen.building)
    found = run(tx, _FIND, {**bound(claimer, room), "count": count}).all()
    taken = list(_fitting(found, room, admit))
    if not taken:
        return Found(())
    these = {"id": [row.id for row in taken], "app": [row.app for row in taken], "n": [row.n for row in taken]}
    return Found(run(tx, _SEVERAL, {**bound(claimer, room), **these}).mappings().all())


def _fitting(found: Sequence[Any], room: memory.Room, admit: Admit) -> Iterator[Row]:
    """Yields the jobs that fit into the memory that the jobs before them leave, and into their shares."""
    free = max(room.free, 0)
    for row in found:
        if row.need <= free and admit(JobKind(row.kind), row.app):
            free -= row.need
            yield row
