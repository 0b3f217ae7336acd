"""Memory admission: a job reserves its container's memory on an engine from its claim until the container is gone.

Workers report how much memory their engine offers to apps; free memory is that amount minus the reservations of jobs
and replicas. A job that does not fit waits without blocking smaller ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.domain.jobs.facts import IMAGE_ID
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.quantities import memory_text
from norn_tasks.store.database.prepared import Prepared, arrays, run
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.rules import wanted
from norn_tasks.store.rules.lists import CODE_CLASSES

UNBOUNDED = 2**62
"""The memory that an engine is assumed to have until a worker reports it."""

_ADDED = f"""greatest({wanted.BY_JOB} - (SELECT count(*) FROM replicas r WHERE r.app = c.app AND r.state <> 'draining'),
  CASE WHEN c.kind IN ('scale', 'repair') THEN 0 ELSE 1 END)"""  # noqa: S608 - built from constants
"""How many replicas a change `c` adds to the existing ones: the missing ones, but at least one if it replaces replicas
(a scale or a repair replaces none).

Draining replicas do not count: they are not replaced, and end by themselves.
"""
_APART = "EXISTS (SELECT 1 FROM workers k WHERE c.cluster = ANY(k.clusters_apart))"
"""True for a job in a cluster with replicas that use no memory of an engine (Kubernetes)."""
_REPLICAS = f"CASE WHEN {_APART} THEN 0 ELSE coalesce(c.memory, 0) * {_ADDED} END"


_PULLS_ONLY = "(c.spec ? 'image' AND NOT c.spec->'build' ? 'test')"
"""True for a deploy that neither builds nor tests: its image comes from a registry, and it has no `build.test`."""


def need(building: str) -> str:
    """Returns the SQL of the bytes that a job `c` needs on its engine; `building` is the SQL of a build's bytes."""
    return f"""CASE WHEN c.kind = 'run' AND c.cluster IS NOT NULL THEN 0
  WHEN c.class IN {CODE_CLASSES} THEN coalesce(c.memory, 0)
  WHEN c.kind IN ('deploy', 'rollback', 'restart', 'scale', 'repair') THEN greatest({_REPLICAS},
    CASE WHEN c.kind = 'deploy' AND NOT c.facts ? '{IMAGE_ID}' AND {_PULLS_ONLY} IS NOT TRUE THEN {building} ELSE 0 END)
  ELSE coalesce(c.memory, 0) END"""


ROOM = """LEFT JOIN engine_room room
  ON room.engine = CASE WHEN c.engine IS NULL THEN (
    SELECT r.engine FROM engine_room r WHERE EXISTS (SELECT 1 FROM workers w
      WHERE w.engine = r.engine AND w.seen_at > clock_timestamp() - interval '60 s')
     ORDER BY r.free DESC, r.engine LIMIT 1)
                        WHEN c.engine = 'home' THEN (SELECT engine FROM instance) ELSE c.engine END"""
_NEED = f"coalesce({need('room.building')}, 0)"
FITS = f"""(room.free IS NULL OR {_NEED} <= greatest(room.free, 0)
  OR EXISTS (SELECT 1 FROM memory_held h WHERE h.job_id = c.id))"""  # noqa: S608 - built from constants
"""The condition that a queued job `c`, joined with ROOM, fits into its engine or has already reserved its memory."""


@dataclass(frozen=True)
class Room:
    """The free memory that an engine has for apps, and the memory that a build needs, in bytes."""

    free: int = UNBOUNDED
    building: int = 0


def speak(tx: Tx, engine: str, memory: int, building: int) -> None:
    """Records how much memory an engine has for apps, how much a build needs, and when this was reported."""
    spoken = text("""INSERT INTO engines(id, memory, building) VALUES (:engine, :memory, :building)
        ON CONFLICT (id) DO UPDATE
           SET memory = excluded.memory, building = excluded.building, seen_at = clock_timestamp()
         WHERE (engines.memory, engines.building) <> (excluded.memory, excluded.building)
            OR engines.seen_at < clock_timestamp() - interval '2 s'""")
    tx.execute(spoken, {"engine": engine, "memory": memory, "building": min(building, memory)})


def room(tx: Tx, engine: str | None) -> Room:
    """Returns the engine's free memory, and the memory that a build needs."""
    row = run(tx, _ROOM, {"engine": engine}).first()
    return Room() if row is None else Room(row.free, row.building)


_ROOM = Prepared("SELECT free, building FROM engine_room WHERE engine = :engine")


def largest(tx: Tx) -> int:
    """Returns the largest amount of memory that an engine has for apps; UNBOUNDED if no worker has reported an engine
    yet.
    """
    return int(tx.scalar(text("SELECT max(memory) FROM engines")) or UNBOUNDED)


def replicas_of(tx: Tx, app: str) -> int:
    """Returns the number of recorded replicas of the app that are not draining."""
    count = text("SELECT count(*) FROM replicas WHERE app = :app AND state <> 'draining'")
    return int(tx.scalar(count, {"app": app}) or 0)


def hold(tx: Tx, row: Row, engine: str | None) -> bool:
    """Reserves the memory that the job of `row` needs on the engine.

    Returns False if another job has reserved the memory first, so that this one no longer fits. The engine's row is
    locked first, so that the caller sees all reservations.
    """
    if not row["memory"] and row["kind"] != "deploy":
        return True
    if run(tx, _LOCK, {"engine": engine}).one_or_none() is None:
        return True
    size = row["memory"] if JobClass(row["class"]).runs_code else _size(tx, row["id"], engine)
    return not size or run(tx, _HOLD, {"job": row["id"], "engine": engine, "bytes": size}).first() is not None


def hold_together(tx: Tx, rows: Sequence[Row], engine: str | None) -> bool:
    """Reserves the memory of several runs on the engine, for all of them or for none; returns False if they do not all
    fit.
    """
    need = {row["id"]: row["memory"] for row in rows if row["memory"]}
    if not need or run(tx, _LOCK, {"engine": engine}).one_or_none() is None:
        return True
    held = run(tx, _HOLD_TOGETHER, {"job": list(need), "bytes": list(need.values()), "engine": engine})
    return bool(held.scalar_one())


def _size(tx: Tx, job: int, engine: str | None) -> int | None:
    size: int | None = tx.scalar(_SIZE, {"job": job, "b": room(tx, engine).building})
    return size


_SIZE = text(f"SELECT {need(':b')} FROM jobs c WHERE c.id = :job")  # noqa: S608 - built from constants
_LOCK = Prepared("SELECT id FROM engines WHERE id = :engine FOR UPDATE")
_HOLD_TOGETHER = Prepared(f"""
WITH these AS MATERIALIZED ({arrays({"job": "bigint", "bytes": "bigint"})}),
added AS MATERIALIZED (SELECT * FROM these t WHERE NOT EXISTS (SELECT 1 FROM memory_held h WHERE h.job_id = t.job)),
fit AS MATERIALIZED (
  SELECT coalesce((SELECT sum(bytes) FROM added), 0) <= free AS all_of_them FROM engine_room WHERE engine = :engine),
taken AS (
  INSERT INTO memory_held(job_id, engine, bytes)
  SELECT job, CAST(:engine AS text), bytes FROM added WHERE (SELECT all_of_them FROM fit))
SELECT coalesce((SELECT all_of_them FROM fit), false)""")  # noqa: S608 - built from constants
_HOLD = Prepared("""
WITH taken AS (
  INSERT INTO memory_held(job_id, engine, bytes)
  SELECT CAST(:job AS bigint), engine, CAST(:bytes AS bigint) FROM engine_room
   WHERE engine = :engine AND free >= :bytes
  ON CONFLICT DO NOTHING RETURNING job_id)
SELECT job_id FROM taken UNION ALL SELECT job_id FROM memory_held WHERE job_id = :job""")


def lower(tx: Tx, row: Row) -> None:
    """Releases the memory of a deploy's build and test; only the memory of its additional replicas stays reserved."""
    tx.execute(_LOWER, {"job": row["id"]})


_LOWER = text(f"""
UPDATE memory_held h SET bytes = least(h.bytes, {_REPLICAS}) FROM jobs c
 WHERE h.job_id = :job AND c.id = :job""")  # noqa: S608 - built from constants


def free(tx: Tx, job: int) -> None:
    """Releases all memory that a job has reserved."""
    tx.execute(text("DELETE FROM memory_held WHERE job_id = :job"), {"job": job})


def waiting(tx: Tx, jobs: Sequence[int]) -> dict[int, str]:
    """Returns, for each of these jobs that waits for memory, a sentence about it."""
    rows = tx.execute(_WAITING, {"jobs": list(jobs)}).mappings() if jobs else ()
    return {row["id"]: _sentence(row) for row in rows}


def longest(tx: Tx) -> tuple[int, str] | None:
    """Returns the number of jobs that wait for memory, and a sentence about the oldest; None if no job waits for it."""
    rows = tx.execute(_ALL_WAITING).mappings().all()
    return (len(rows), f"job {rows[0]['id']} of {rows[0]['app']} {_sentence(rows[0])}") if rows else None


@dataclass(frozen=True)
class Shortage:
    """The oldest job that has waited for memory of the home engine for more than 5 s: the bytes that it needs, and the
    bytes that are free there.
    """

    need: int
    free: int


def short_of(tx: Tx) -> Shortage | None:
    """Returns the shortage of memory on the home engine, where the replicas are; None if no job waits for it."""
    row = tx.execute(_SHORT).first()
    return None if row is None else Shortage(int(row.need), int(row.free))


def _sentence(row: Row) -> str:
    left, whole = max(row["free"], 0) // 2**20, row["whole"] // 2**20
    return f"waits for {memory_text(row['need'])} of memory: {left}m of the {whole}m that its engine has are free"


_WHO_WAITS = f"""
SELECT c.id, c.app, {_NEED} AS need, room.free, room.memory AS whole FROM jobs c {ROOM}
 WHERE c.state = 'queued' AND NOT {FITS}"""  # noqa: S608 - built from constants
_WAITING = text(f"{_WHO_WAITS} AND c.id = ANY(:jobs)")
_PATIENT = f"{_WHO_WAITS} AND c.run_after < clock_timestamp() - interval '5 s'"
_ALL_WAITING = text(f"{_PATIENT} ORDER BY c.id LIMIT 1000")
_HOME = "room.engine = coalesce((SELECT engine FROM instance), room.engine)"
_SHORT = text(f"{_PATIENT} AND {_HOME} ORDER BY c.id LIMIT 1")
