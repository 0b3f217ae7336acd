"""The workers' own rows: who is there, for which class and engine, how busy, and who is draining."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.disk import Space
from norn_tasks.domain.errors import EngineDown, NotFound, Unavailable
from norn_tasks.domain.event import EventKind
from norn_tasks.domain.job import JobClass
from norn_tasks.store import memory
from norn_tasks.store.facts import tell
from norn_tasks.store.session import Row, Tx
from norn_tasks.store.tables import Beat, Worker

_NOW = text("clock_timestamp()")
_FORGET = text("clock_timestamp() - interval '1 hour'")


@dataclass(frozen=True)
class Presence:
    """What a worker process says of itself. `engine_error`: its engine does not answer, or may not be used, and why.

    `engine` is the one that it would take work for, None where it knows of none; what waits for that is not given up.

    `memory`: bytes that the engine has for apps; `building`: those that a build takes.
    """

    name: str
    job_class: JobClass
    host: str
    pid: int
    slots: int
    engine: str | None
    engine_error: str | None
    memory: int = 0
    building: int = 0
    spaces: tuple[Space, ...] = ()
    clock: float | None = None
    """Seconds since 1970 by its machine's clock, taken just now."""


def _offset(clock: float | None) -> Any:
    if clock is None:
        return 0.0
    return text("(:clock - extract(epoch FROM clock_timestamp()))::float8").bindparams(clock=clock)


def say(tx: Tx, presence: Presence, *, first: bool = False) -> None:
    """Writes the worker's row; a new process under an old name is a new worker, and not draining.

    `first`: this process says it for the first time. In a container, its pid is the one that the process before it had.
    """
    if presence.engine is not None and presence.memory:
        memory.speak(tx, presence.engine, presence.memory, presence.building)
    busy = text("(SELECT count(*) FROM jobs WHERE state = 'running' AND lease_owner = :owner)").bindparams(
        owner=presence.name
    )
    claimed = text(
        "(SELECT max(first_claimed_at) FROM jobs WHERE state = 'running' AND lease_owner = :who)"
    ).bindparams(who=presence.name)
    now = {
        "class": str(presence.job_class), "host": presence.host, "slots": presence.slots, "engine": presence.engine,
        "engine_error": presence.engine_error, "busy": busy, "seen_at": _NOW,
        "spaces": [asdict(space) for space in presence.spaces], "clock_offset": _offset(presence.clock),
    }  # fmt: skip
    row = insert(Worker).values(name=presence.name, pid=presence.pid, last_claim_at=claimed, **now)
    same = "false" if first else "excluded.pid = workers.pid"
    tx.execute(
        row.on_conflict_do_update(
            index_elements=["name"],
            set_=now
            | {
                "pid": presence.pid,
                "last_claim_at": text("coalesce(excluded.last_claim_at, workers.last_claim_at)"),
                "draining_at": text(f"CASE WHEN {same} THEN workers.draining_at END"),
                "started_at": text(f"CASE WHEN {same} THEN workers.started_at ELSE clock_timestamp() END"),
            },
        )
    )
    tx.execute(delete(Worker).where(Worker.seen_at < _FORGET))


def drain(tx: Tx, name: str, *, actor: str | None = None) -> None:
    """Marks a worker as draining: it claims nothing more, its jobs learn it with their heartbeat, and it leaves.

    `actor`: who asked for it, if it is not the worker itself. Raises NotFound.
    """
    marked = tx.execute(
        update(Worker).where(Worker.name == name, Worker.draining_at.is_(None)).values(draining_at=_NOW)
    )
    if marked.rowcount:
        tell(tx, EventKind.WORKER_DRAINING, worker=name, actor=actor)
    elif tx.scalar(select(Worker.name).where(Worker.name == name)) is None:
        raise NotFound(f"there is no worker {name}", hint="norn worker list")


def idle(tx: Tx, name: str, seconds: float) -> bool:
    """True when the worker has free slots, does not drain, and has claimed nothing for so long."""
    free = text("""SELECT 1 FROM workers WHERE name = :name AND draining_at IS NULL AND busy < slots
        AND coalesce(last_claim_at, started_at) < clock_timestamp() - make_interval(secs => :seconds)""")
    return tx.execute(free, {"name": name, "seconds": seconds}).one_or_none() is not None


def engine_of(tx: Tx, name: str) -> str | None:
    """Answers the engine that the worker speaks for; None while it does not answer."""
    return tx.scalar(select(Worker.engine).where(Worker.name == name, Worker.engine_error.is_(None)))


def is_draining(tx: Tx, name: str) -> bool:
    """True once the worker was told to drain."""
    return tx.scalar(select(Worker.draining_at).where(Worker.name == name)) is not None


def leave(tx: Tx, name: str) -> None:
    """Removes the row of a worker that ends in an orderly way."""
    tx.execute(delete(Worker).where(Worker.name == name))


def require(tx: Tx, job_class: JobClass, within: float) -> None:
    """Raises Unavailable unless a worker of the class spoke within so many seconds; EngineDown without an engine."""
    seen = text("""SELECT engine_error FROM workers WHERE class = :class AND draining_at IS NULL
        AND seen_at > clock_timestamp() - make_interval(secs => :within) ORDER BY engine_error IS NOT NULL LIMIT 1""")
    row = tx.execute(seen, {"class": str(job_class), "within": within}).one_or_none()
    if row is None:
        raise Unavailable(f"no {job_class} worker is there right now", hint="norn worker list", retry_after=5)
    if row.engine_error is not None:
        raise EngineDown(str(row.engine_error), hint="norn health", retry_after=5)


def all_of(tx: Tx) -> list[Row]:
    """Lists the workers by class and name, with the seconds since each spoke as `silent`."""
    silent = text("extract(epoch FROM clock_timestamp() - seen_at)::float8 AS silent")
    return list(tx.execute(select(Worker, silent).order_by(Worker.class_, Worker.name)).mappings())


# A beat that was silent, or a new one of the same name, listens anew: what it did not hear meanwhile tells nothing.
_LISTENS_SINCE = text("""CASE WHEN beats.seen_at < clock_timestamp() - interval '15 s'
    THEN clock_timestamp() ELSE beats.started_at END""")


def beat(tx: Tx, name: str, lag: float) -> None:
    """Writes a beat's row: it is alive, and its last tick was so many seconds late."""
    row = insert(Beat).values(name=name, lag_seconds=lag)
    said = {"seen_at": _NOW, "lag_seconds": lag, "started_at": _LISTENS_SINCE}
    tx.execute(row.on_conflict_do_update(index_elements=["name"], set_=said))
    tx.execute(delete(Beat).where(Beat.seen_at < _FORGET))


def free_slots(tx: Tx) -> dict[JobClass, int]:
    """Answers how many more jobs of each class the workers that spoke in the last minute could take."""
    rows = tx.execute(
        text("""SELECT class, sum(greatest(slots - busy, 0))::int AS free FROM workers
                 WHERE draining_at IS NULL AND seen_at > clock_timestamp() - interval '60 s' GROUP BY class""")
    )
    return {JobClass(row._mapping["class"]): row.free for row in rows}


def slots(tx: Tx) -> dict[JobClass, int]:
    """Answers how many jobs of each class the workers that spoke in the last minute run at once."""
    rows = tx.execute(
        text("""SELECT class, sum(slots)::int AS slots FROM workers
                 WHERE draining_at IS NULL AND seen_at > clock_timestamp() - interval '60 s' GROUP BY class""")
    )
    return {JobClass(row._mapping["class"]): row.slots for row in rows}
