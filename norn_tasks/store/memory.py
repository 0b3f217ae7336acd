"""Memory as rows: a job holds what its container may use of its engine, from its claim until the container is gone.

An engine's share for apps is spoken by its workers. What is left of it is that without what jobs hold and without what
the replicas there have reserved. A job that does not fit waits; no other that fits waits behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.domain.quantities import memory_text
from norn_tasks.store.session import Row, Tx

UNBOUNDED = 2**62
"""The memory of an engine that no worker has told the memory of."""

_ADDED = """greatest(CASE WHEN c.args -> 'override' ->> 'spec' = coalesce(c.spec ->> 'replicas', '1')
    THEN CAST(c.args -> 'override' ->> 'replicas' AS int) ELSE coalesce(CAST(c.spec ->> 'replicas' AS int), 1) END
  - CAST((SELECT count(*) FROM replicas r WHERE r.app = c.app) AS int),
  CASE WHEN c.kind IN ('scale', 'repair') THEN 0 ELSE 1 END)"""
"""How many replicas more than there are a change of a webserver or worker has at once, which takes one at a time."""
_REPLICAS = f"coalesce(c.memory, 0) * {_ADDED}"


def need(building: str) -> str:
    """Answers the SQL of what a job `c` needs of its engine, in bytes; `building` is what a build takes of it."""
    return f"""CASE WHEN c.class IN ('invoke', 'cron') THEN coalesce(c.memory, 0)
  WHEN c.kind IN ('deploy', 'rollback', 'restart', 'scale', 'repair') THEN greatest({_REPLICAS},
    CASE WHEN c.kind = 'deploy' AND NOT c.facts ? 'image_id' THEN {building} ELSE 0 END)
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
"""Joined and asked of a queued job `c`: true when it fits into its engine, or holds its memory already."""


@dataclass(frozen=True)
class Room:
    """What is left of an engine's memory for apps, and what a build takes of it, in bytes."""

    free: int = UNBOUNDED
    building: int = 0


def speak(tx: Tx, engine: str, memory: int, building: int) -> None:
    """Writes down what an engine has for apps, and what a build takes of it, if that is news, and when."""
    spoken = text("""INSERT INTO engines(id, memory, building) VALUES (:engine, :memory, :building)
        ON CONFLICT (id) DO UPDATE
           SET memory = excluded.memory, building = excluded.building, seen_at = clock_timestamp()
         WHERE (engines.memory, engines.building) <> (excluded.memory, excluded.building)
            OR engines.seen_at < clock_timestamp() - interval '2 s'""")
    tx.execute(spoken, {"engine": engine, "memory": memory, "building": min(building, memory)})


def room(tx: Tx, engine: str | None) -> Room:
    """Answers what the engine has left."""
    row = tx.execute(text("SELECT free, building FROM engine_room WHERE engine = :engine"), {"engine": engine}).first()
    return Room() if row is None else Room(row.free, row.building)


def largest(tx: Tx) -> int:
    """Answers what the largest of all engines has for apps."""
    return int(tx.scalar(text("SELECT max(memory) FROM engines")) or UNBOUNDED)


def replicas_of(tx: Tx, app: str) -> int:
    """Answers how many replicas of the app are recorded, whatever they do."""
    return int(tx.scalar(text("SELECT count(*) FROM replicas WHERE app = :app"), {"app": app}) or 0)


def hold(tx: Tx, row: Row, engine: str | None) -> bool:
    """Gives the job of `row` its share of the engine.

    False when another job was quicker and it does not fit any more. The engine's row is the lock: who has it sees what
    all others hold.
    """
    if not row["memory"] and row["kind"] != "deploy":
        return True
    building = tx.scalar(text("SELECT building FROM engines WHERE id = :engine FOR UPDATE"), {"engine": engine})
    if building is None:
        return True
    size = row["memory"] if row["class"] in ("invoke", "cron") else tx.scalar(_SIZE, {"job": row["id"], "b": building})
    return not size or tx.execute(_HOLD, {"job": row["id"], "engine": engine, "bytes": size}).first() is not None


_SIZE = text(f"SELECT {need(':b')} FROM jobs c WHERE c.id = :job")  # noqa: S608 - built from constants
_HOLD = text("""
WITH taken AS (
  INSERT INTO memory_held(job_id, engine, bytes)
  SELECT :job, :engine, :bytes FROM engine_room WHERE engine = :engine AND free >= :bytes
  ON CONFLICT DO NOTHING RETURNING job_id)
SELECT job_id FROM taken UNION ALL SELECT job_id FROM memory_held WHERE job_id = :job""")


def lower(tx: Tx, row: Row) -> None:
    """Gives back what a deploy's build and test needed: from now on it needs what its additional replicas do."""
    tx.execute(_LOWER, {"job": row["id"]})


_LOWER = text(f"""
UPDATE memory_held h SET bytes = least(h.bytes, {_REPLICAS}) FROM jobs c
 WHERE h.job_id = :job AND c.id = :job""")  # noqa: S608 - built from constants


def free(tx: Tx, job: int) -> None:
    """Gives back all that a job holds."""
    tx.execute(text("DELETE FROM memory_held WHERE job_id = :job"), {"job": job})


def waiting(tx: Tx, jobs: Sequence[int]) -> dict[int, str]:
    """Answers which of these jobs wait for memory, each with the sentence that says so."""
    rows = tx.execute(_WAITING, {"jobs": list(jobs)}).mappings() if jobs else ()
    return {row["id"]: _sentence(row) for row in rows}


def longest(tx: Tx) -> tuple[int, str] | None:
    """Answers how many jobs wait for memory, and the sentence of the one that does so longest; None for none."""
    rows = tx.execute(_ALL_WAITING).mappings().all()
    return (len(rows), f"job {rows[0]['id']} of {rows[0]['app']} {_sentence(rows[0])}") if rows else None


def _sentence(row: Row) -> str:
    left, whole = max(row["free"], 0) // 2**20, row["whole"] // 2**20
    return f"waits for {memory_text(row['need'])} of memory: {left}m of the {whole}m that its engine has are free"


_WHO_WAITS = f"""
SELECT c.id, c.app, {_NEED} AS need, room.free, room.memory AS whole FROM jobs c {ROOM}
 WHERE c.state = 'queued' AND NOT {FITS}"""  # noqa: S608 - built from constants
_WAITING = text(f"{_WHO_WAITS} AND c.id = ANY(:jobs)")
_ALL_WAITING = text(f"{_WHO_WAITS} AND c.run_after < clock_timestamp() - interval '5 s' ORDER BY c.id LIMIT 1000")
