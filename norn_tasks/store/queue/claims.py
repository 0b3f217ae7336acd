"""Claims: each gives a ready job to exactly one worker, in one SQL statement.

The order (docs/reliability.md): the oldest job comes first. Exclusive jobs of an app are claimed strictly one after the
other. In classes with slots, the app with the fewest running jobs comes first, and within the app synchronous calls
come first. Row locks with SKIP LOCKED keep two workers from claiming the same job.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.fleet import memory
from norn_tasks.store.queue import builds
from norn_tasks.store.rules import ready, shares
from norn_tasks.store.tables import JobRow

LAST_RESORT_SECONDS = 10.0
"""If the engine of a job does not answer, a worker takes the job after this many seconds anyway, so that the job ends
with an error.
"""


def _ready(due: str) -> str:
    """Returns the SQL condition for a job `c` that this worker may take now; `due` is the condition for a due job."""
    return f"""c.class = :class AND {due} AND c.claims < :max_claims
  AND (c.deadline IS NULL OR c.deadline >= clock_timestamp()
    OR c.begun_at IS NOT NULL AND (c.container IS NOT NULL OR c.adopt))
  AND (c.requires <@ CAST(:capabilities AS text[]) OR c.requires <@ CAST(:last_resort AS text[])
    AND c.run_after < clock_timestamp() - interval '{LAST_RESORT_SECONDS:g} s')
  AND ({memory.need("CAST(:building AS bigint)")} <= CAST(:free AS bigint)
    OR EXISTS (SELECT 1 FROM memory_held h WHERE h.job_id = c.id))
  AND (c.adopt OR coalesce({shares.share("c")}, '') <> ALL(CAST(:full AS text[])))"""  # noqa: S608 - built from constants


READY = _ready(ready.DUE)
"""The SQL condition for a job `c` that this worker may take now."""
# This also matches a run that was asked to stop after its worker had died: a worker must remove its container.
_KEPT = _ready(ready.DUE_OR_KEPT)

FIXED = ("class", "capabilities", "last_resort", "max_claims")
"""The parameters whose values seldom change. PostgreSQL plans with these values, so that it expects most jobs to be
ready.
"""

TAKE = """UPDATE jobs j SET state = 'running', claims = claims + 1, lease_token = nextval('fence'),
  lease_owner = :worker, lease_until = clock_timestamp() + make_interval(secs => :lease),
  first_claimed_at = coalesce(first_claimed_at, clock_timestamp())"""
"""The SQL that gives the job `j` to this worker."""

# The columns are named one by one, so that a column that a migration adds does not change the result of a prepared
# statement.
BACK = f"""RETURNING {", ".join(f'j."{column.name}"' for column in JobRow.__table__.columns)},
  extract(epoch FROM j.deadline - clock_timestamp())::float8 AS remaining"""
"""The SQL that returns the job `j` that was taken."""

_CLAIM_PLAIN = Prepared(
    f"""
{TAKE}
 WHERE j.state = 'queued' AND j.id = (
  SELECT c.id FROM jobs c WHERE {READY} ORDER BY c.id FOR UPDATE SKIP LOCKED LIMIT 1)
{BACK}""",  # noqa: S608 - built from constants
    fixed=FIXED,
)

# If a deploy waited for an earlier deploy of its app, its waiting time counts only from the end of that one. So other
# apps that waited at the same time come first.
_CLAIM_CHANGE = Prepared(
    f"""
{TAKE}
 WHERE j.state = 'queued' AND j.id = (
  SELECT c.id FROM jobs c WHERE {READY} AND NOT {ready.IS_BEHIND} AND NOT {builds.is_taken(":engine")}
   ORDER BY CASE WHEN c.kind <> 'deploy' THEN c.created_at ELSE greatest(c.created_at, (
     SELECT max(d.ended_at) FROM deployments d WHERE d.app = c.app AND d.kind = 'deploy')) END, c.id
   FOR UPDATE OF c SKIP LOCKED LIMIT 1)
{BACK}""",  # noqa: S608 - built from constants
    fixed=FIXED,
)

_CLAIM_KEPT_SLOT = Prepared(
    f"""
{TAKE}
 WHERE j.state = 'queued' AND j.id = (
  SELECT c.id FROM slots s JOIN jobs c ON c.id = s.job_id
   WHERE s.class = :class AND s.job_id IS NOT NULL AND {_KEPT}
   ORDER BY c.id FOR UPDATE OF c SKIP LOCKED LIMIT 1)
{BACK}""",  # noqa: S608 - built from constants
    fixed=FIXED,
)

LOOKED_AT = 64
"""A claim compares this many of the oldest ready jobs. Each of its two searches of the index finds at most this many
apps with a free slot.
"""


def _walk(name: str, begin: str, end: str) -> str:
    """Returns SQL that searches the index from app to app, and finds the first ready job of each.

    The search ends when it has visited enough apps that have a free slot.
    """
    return f"""{name} AS (
  (SELECT c.app, c.id, 0 AS free FROM jobs c WHERE {READY} AND {begin} {end}
    ORDER BY c.app, c.id LIMIT 1)
  UNION ALL
  SELECT n.app, n.id, w.free + CAST(EXISTS (
    SELECT 1 FROM slots s WHERE s.class = :class AND s.app = n.app AND s.job_id IS NULL) AS int)
    FROM {name} w, LATERAL (
    SELECT c.app, c.id FROM jobs c WHERE {READY} AND c.app > w.app {end}
     ORDER BY c.app, c.id LIMIT 1) n
   WHERE w.free < {LOOKED_AT})"""  # noqa: S608 - built from constants


# The common case, which needs only a few reads: choose the app that runs nothing and has the oldest ready job. The
# comparison of apps below would choose the same app.
_CLAIM_IDLE = Prepared(
    f"""
WITH oldest AS MATERIALIZED (
  SELECT c.app FROM jobs c WHERE {READY} ORDER BY c.id LIMIT {LOOKED_AT}),
slot AS MATERIALIZED (
  SELECT free.app, free.n FROM oldest o, LATERAL (
    SELECT s.app, s.n FROM slots s WHERE s.class = :class AND s.app = o.app AND s.job_id IS NULL
       AND NOT EXISTS (SELECT 1 FROM slots b WHERE b.class = :class AND b.app = o.app AND b.job_id IS NOT NULL)
     ORDER BY s.n FOR UPDATE OF s SKIP LOCKED LIMIT 1) free
   LIMIT 1),
job AS MATERIALIZED (
  SELECT c.id FROM jobs c WHERE {READY} AND c.app = (SELECT app FROM slot)
   ORDER BY c.sync DESC, c.id FOR UPDATE OF c SKIP LOCKED LIMIT 1),
held AS (
  UPDATE slots s SET job_id = job.id FROM job, slot WHERE s.class = :class AND s.app = slot.app AND s.n = slot.n)
{TAKE}
  FROM job WHERE j.id = job.id AND j.state = 'queued'
{BACK}""",  # noqa: S608 - built from constants
    fixed=FIXED,
)

COMPARED = f"""place AS MATERIALIZED (
  SELECT coalesce((SELECT s.app FROM slots s TABLESAMPLE SYSTEM (5) WHERE s.class = :class LIMIT 1), '') AS app),
{_walk("onward", "c.app >= (SELECT app FROM place)", "")},
{_walk("around", "true", "AND c.app < (SELECT app FROM place)")},
oldest AS MATERIALIZED (
  SELECT c.app, c.id FROM jobs c WHERE {READY} ORDER BY c.id LIMIT {LOOKED_AT}),
head AS (
  SELECT app, min(id) AS id
    FROM (SELECT app, id FROM oldest UNION ALL SELECT app, id FROM onward UNION ALL SELECT app, id FROM around) seen
   GROUP BY app)"""  # noqa: S608 - built from constants
"""The apps that a claim compares, each with its oldest ready job, as the table `head`; it follows a `WITH RECURSIVE`.

If at most 64 apps have ready jobs, all of them are compared. If there are more, the apps of the oldest jobs are
compared, and some more in alphabetical order from a random app on. So the work is bounded, and an app waits neither
because another one has a flood of jobs nor because its name comes late in the alphabet.
"""

_CLAIM_SLOT = Prepared(
    f"""
WITH RECURSIVE {COMPARED},
ranked AS MATERIALIZED (
  SELECT h.app FROM head h, LATERAL (
    SELECT count(s.job_id) AS busy, count(*) FILTER (WHERE NOT s.surplus) AS there
      FROM slots s WHERE s.class = :class AND s.app = h.app) of_app
   WHERE busy < there ORDER BY busy, h.id),
slot AS MATERIALIZED (
  SELECT free.app, free.n FROM ranked r, LATERAL (
    SELECT s.app, s.n FROM slots s WHERE s.class = :class AND s.app = r.app AND s.job_id IS NULL
     ORDER BY s.n FOR UPDATE SKIP LOCKED LIMIT 1) free
   LIMIT 1),
job AS MATERIALIZED (
  SELECT c.id FROM jobs c WHERE {READY} AND c.app = (SELECT app FROM slot)
     AND NOT EXISTS (SELECT 1 FROM slots k WHERE k.job_id = c.id)
   ORDER BY c.sync DESC, c.id FOR UPDATE OF c SKIP LOCKED LIMIT 1),
held AS (
  UPDATE slots s SET job_id = job.id FROM job, slot WHERE s.class = :class AND s.app = slot.app AND s.n = slot.n)
{TAKE}
  FROM job WHERE j.id = job.id AND j.state = 'queued'
{BACK}""",  # noqa: S608 - built from constants
    fixed=FIXED,
)


LOOK = Prepared(
    f"""
SELECT EXISTS (SELECT FROM jobs c WHERE c.class = :class AND {ready.DUE_OR_KEPT}) AS due,
       EXISTS (SELECT FROM slots s JOIN jobs c ON c.id = s.job_id
                WHERE s.class = :class AND s.job_id IS NOT NULL AND {ready.DUE_OR_KEPT}) AS kept,
       room.free, room.building
  FROM (SELECT) one LEFT JOIN engine_room room ON room.engine = :engine""",  # noqa: S608 - built from constants
    fixed=("class",),
)
"""Reads whether a job is due, and whether a due job has kept its slot.

Most claims find nothing, and this statement finds that out before anything is locked.
"""


@dataclass(frozen=True)
class Claimer:
    """A worker of one class that claims a job, and the conditions for the jobs that it can run now.

    `engine` is the engine whose memory its jobs use; None while the engine does not answer. `last_resort`: capabilities
    that the worker lacks because an engine is unreachable. A job that needs one of these is taken after
    LAST_RESORT_SECONDS, so that it ends with the engine's error. `full`: the names of shares (usually apps) that
    already use as many of this worker's slots as they may; the worker takes no job of such a share.
    """

    worker: str
    job_class: JobClass
    engine: str | None
    lease: float
    max_claims: int
    capabilities: frozenset[str] = frozenset()
    last_resort: frozenset[str] = frozenset()
    full: frozenset[str] = frozenset()


def claim(tx: Tx, claimer: Claimer) -> Row | None:
    """Takes the next ready job of the class for this worker, and returns its row; None if no ready job fits.

    It first reads whether any job is due. A job that is accepted after this read sends a wake-up of its own.
    """
    charged = None if claimer.job_class is JobClass.OBSERVE else claimer.engine
    seen = run(tx, LOOK, {"class": str(claimer.job_class), "engine": charged}).one()
    if not seen.due:
        return None
    room = memory.Room() if seen.free is None else memory.Room(seen.free, seen.building)
    for statement in statements(claimer.job_class, kept=seen.kept):
        row = run(tx, statement, bound(claimer, room)).mappings().one_or_none()
        if row is not None:
            return row
    return None


def bound(claimer: Claimer, room: memory.Room) -> dict[str, Any]:
    """Returns the values of the statements' parameters."""
    return {
        "class": str(claimer.job_class), "capabilities": sorted(claimer.capabilities),
        "last_resort": sorted(claimer.capabilities | claimer.last_resort), "worker": claimer.worker,
        "lease": claimer.lease, "max_claims": claimer.max_claims, "building": room.building,
        "free": max(room.free, 0), "full": sorted(claimer.full), "engine": claimer.engine,
    }  # fmt: skip


def statements(job_class: JobClass, *, kept: bool = True) -> tuple[Prepared, ...]:
    """Returns the statements that a claim of the class tries, one after the other; `kept`: a due job has kept
    its slot.
    """
    if job_class.runs_code:
        return (_CLAIM_KEPT_SLOT, _CLAIM_IDLE, _CLAIM_SLOT) if kept else (_CLAIM_IDLE, _CLAIM_SLOT)
    return (_CLAIM_CHANGE if job_class is JobClass.DEPLOY else _CLAIM_PLAIN,)
