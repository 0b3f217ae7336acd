"""The rows that workers write about themselves: class, engine, busy slots, and whether they are draining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.disk import Space
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, Unavailable
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.placement import runtime_capability
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.session import Tx
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.fleet import memory
from norn_tasks.store.tables import BeatRow, WorkerRow

_FORGET = text("clock_timestamp() - interval '1 hour'")


@dataclass(frozen=True)
class Presence:
    """A worker's report about itself. `engine_error`: why its engine does not respond, or may not be used.

    `engine` is the engine for which it claims work, even while the engine does not respond; None if it knows no engine.
    So work that waits for this engine is not given up. `memory`: the engine's bytes for apps; `building`: the bytes
    that a build needs.
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
    capabilities: frozenset[str] = frozenset()
    """The capabilities that it has now; it takes only jobs that require no others."""
    engines: tuple[str, ...] = ()
    """The ids of all its engines, including engines that do not answer at the moment."""
    clusters: tuple[str, ...] = ()
    """The names of the clusters that the worker has."""
    clusters_apart: tuple[str, ...] = ()
    """The names of its clusters that have machines of their own, so that their replicas use no memory of an engine."""
    clock: float | None = None
    """Seconds since 1970 by its machine's clock, taken just now."""
    process: str = ""
    """A name of the process that is unique across machines and containers."""


@dataclass(frozen=True)
class NameHolder:
    """The process that has a worker's name, and the seconds since it reported."""

    process: str
    host: str
    pid: int
    seen_at: datetime
    silent: float


def _offset(clock: float | None, n: int) -> Any:
    if clock is None:
        return 0.0
    return text(f"(:clock{n} - extract(epoch FROM clock_timestamp()))::float8").bindparams(**{f"clock{n}": clock})


def say(tx: Tx, presence: Presence, *, first: bool = False) -> bool:
    """Writes the worker's row; a new process under an old name is a new worker, and not draining.

    `first`: the process takes the name from any other process. If it is False, raises Conflict when another process has
    the name. Returns whether the worker was asked to drain.
    """
    return bool(say_all(tx, [presence], first=first))


def say_all(tx: Tx, presences: Sequence[Presence], *, first: bool = False) -> frozenset[str]:
    """Writes the rows of all workers of a process as `say` does; returns the names of the workers that were asked to
    drain.
    """
    for engine, memory_there, building in {(each.engine, each.memory, each.building) for each in presences}:
        if engine is not None and memory_there:
            memory.speak(tx, engine, memory_there, building)
    rows = insert(WorkerRow).values([_row(each, n) for n, each in enumerate(presences)])
    renewed = {"last_claim_at": text("coalesce(excluded.last_claim_at, workers.last_claim_at)")}
    restarted = {"draining_at": None, "started_at": NOW} if first else {}
    reported = {name: rows.excluded[name] for name in _REPORTED}
    written = rows.on_conflict_do_update(
        index_elements=["name"],
        set_=reported | renewed | restarted,
        where=None if first else WorkerRow.process == rows.excluded.process,
    ).returning(WorkerRow.name, WorkerRow.draining_at)
    found = {row.name: row.draining_at for row in tx.execute(written)}
    taken = [each.name for each in presences if each.name not in found]
    if taken:
        raise Conflict(f"another process has taken the name {taken[0]}", hint="norn worker list")
    tx.execute(delete(WorkerRow).where(WorkerRow.seen_at < _FORGET))
    return frozenset(name for name, since in found.items() if since is not None)


def _row(presence: Presence, n: int) -> dict[str, Any]:
    busy = text(f"(SELECT count(*) FROM jobs WHERE state = 'running' AND lease_owner = :owner{n})")  # noqa: S608
    claimed = text(
        f"(SELECT max(first_claimed_at) FROM jobs WHERE state = 'running' AND lease_owner = :who{n})"  # noqa: S608
    )
    return {
        "name": presence.name, "last_claim_at": claimed.bindparams(**{f"who{n}": presence.name}),
        "class": str(presence.job_class), "host": presence.host, "pid": presence.pid, "process": presence.process,
        "slots": presence.slots, "engine": presence.engine, "engine_error": presence.engine_error,
        "busy": busy.bindparams(**{f"owner{n}": presence.name}), "seen_at": NOW,
        "capabilities": sorted(presence.capabilities), "engines": list(presence.engines),
        "clusters": list(presence.clusters), "clusters_apart": list(presence.clusters_apart),
        "spaces": [asdict(space) for space in presence.spaces],
        "clock_offset": _offset(presence.clock, n),
    }  # fmt: skip


_REPORTED = (
    "class", "host", "pid", "process", "slots", "engine", "engine_error", "busy", "seen_at", "capabilities", "engines",
    "clusters", "clusters_apart", "spaces", "clock_offset",
)  # fmt: skip
"""The columns that each report replaces."""


def holder(tx: Tx, name: str) -> NameHolder | None:
    """Returns the process that has a worker's name; None if no process has it."""
    silent = text("extract(epoch FROM clock_timestamp() - seen_at)::float8 AS silent")
    w = WorkerRow
    row = tx.execute(select(w.process, w.host, w.pid, w.seen_at, silent).where(w.name == name)).one_or_none()
    return None if row is None else NameHolder(*row)


def drain(tx: Tx, name: str, *, actor: str | None = None, process: str | None = None) -> None:
    """Marks a worker as draining. It claims no more jobs, reads the mark with its next heartbeat, and then ends.

    `actor`: the user who asked to drain it. `process`: the worker drains itself, and does not mark another process that
    has the same name. Raises NotFound.
    """
    own = [] if process is None else [WorkerRow.process == process]
    undrained = update(WorkerRow).where(WorkerRow.name == name, WorkerRow.draining_at.is_(None), *own)
    marked = tx.execute(undrained.values(draining_at=NOW))
    if marked.rowcount:
        publish(tx, EventKind.WORKER_DRAINING, worker=name, actor=actor)
    elif tx.scalar(select(WorkerRow.name).where(WorkerRow.name == name)) is None:
        raise NotFound(f"there is no worker {name}", hint="norn worker list")


def idle(tx: Tx, patience: Mapping[str, float]) -> list[str]:
    """Returns the workers that have free slots, do not drain, and have claimed nothing for the number of seconds that
    `patience` has for their names.
    """
    free = text("""SELECT w.name FROM workers w
        JOIN unnest(CAST(:names AS text[]), CAST(:seconds AS float8[])) AS p(name, seconds) ON p.name = w.name
        WHERE w.draining_at IS NULL AND w.busy < w.slots
          AND coalesce(w.last_claim_at, w.started_at) < clock_timestamp() - make_interval(secs => p.seconds)""")
    return list(tx.scalars(free, {"names": list(patience), "seconds": list(patience.values())}))


def engine_of(tx: Tx, name: str) -> str | None:
    """Returns the engine that the worker reports; None while the engine does not respond."""
    return tx.scalar(select(WorkerRow.engine).where(WorkerRow.name == name, WorkerRow.engine_error.is_(None)))


def capabilities_of(tx: Tx, name: str) -> frozenset[str]:
    """Returns the capabilities that the worker announced last."""
    return frozenset(tx.scalar(select(WorkerRow.capabilities).where(WorkerRow.name == name)) or ())


def others_could(tx: Tx, name: str, job_class: JobClass) -> bool:
    """Returns True if another worker of the class is alive and its engine answers."""
    others = text("""SELECT 1 FROM workers WHERE class = :class AND name <> :name AND engine_error IS NULL
        AND draining_at IS NULL AND seen_at > clock_timestamp() - interval '60 s' LIMIT 1""")
    return tx.execute(others, {"class": str(job_class), "name": name}).one_or_none() is not None


def is_draining(tx: Tx, name: str) -> bool:
    """Returns True once the worker was asked to drain."""
    return tx.scalar(select(WorkerRow.draining_at).where(WorkerRow.name == name)) is not None


def leave(tx: Tx, name: str, process: str) -> None:
    """Removes the row of a worker that ends normally, unless another process has the name now."""
    tx.execute(delete(WorkerRow).where(WorkerRow.name == name, WorkerRow.process == process))


def require(tx: Tx, job_class: JobClass, within: float) -> None:
    """Raises Unavailable unless a worker of the class reported in the last `within` seconds; EngineDown if none of
    these workers has an engine that responds.
    """
    seen = text("""SELECT engine_error FROM workers WHERE class = :class AND draining_at IS NULL
        AND seen_at > clock_timestamp() - make_interval(secs => :within) ORDER BY engine_error IS NOT NULL LIMIT 1""")
    row = tx.execute(seen, {"class": str(job_class), "within": within}).one_or_none()
    if row is None:
        raise Unavailable(f"no {job_class} worker is there right now", hint="norn worker list", retry_after=5)
    if row.engine_error is not None:
        raise EngineDown(str(row.engine_error), hint="norn health", retry_after=5)


def has_cluster(tx: Tx, name: str) -> bool:
    """Returns True if a worker has the cluster of this name; a worker that died counts for about an hour."""
    return bool(tx.scalar(select(exists().where(WorkerRow.clusters.contains([name])))))


def has_runtime(tx: Tx, name: str) -> bool:
    """Returns True if a worker announced the runtime of this name, on an engine that answered; a worker that died
    counts for about an hour.
    """
    return bool(tx.scalar(select(exists().where(WorkerRow.capabilities.contains([runtime_capability(name)])))))


# A scheduler that was silent, or a new one of the same name, counts as started only now. While no scheduler ran, a
# missing report of an engine proves nothing.
_LISTENS_SINCE = text("""CASE WHEN beats.seen_at < clock_timestamp() - interval '15 s'
    THEN clock_timestamp() ELSE beats.started_at END""")


def beat(tx: Tx, name: str, lag: float) -> None:
    """Writes a scheduler's row: it is alive, and its last tick was `lag` seconds late."""
    row = insert(BeatRow).values(name=name, lag_seconds=lag)
    said = {"seen_at": NOW, "lag_seconds": lag, "started_at": _LISTENS_SINCE}
    tx.execute(row.on_conflict_do_update(index_elements=["name"], set_=said))
    tx.execute(delete(BeatRow).where(BeatRow.seen_at < _FORGET))


def free_slots(tx: Tx) -> dict[JobClass, int]:
    """Returns the number of free slots of each class; only workers that reported in the last minute count."""
    rows = tx.execute(
        text("""SELECT class, sum(greatest(slots - busy, 0))::int AS free FROM workers
                 WHERE draining_at IS NULL AND seen_at > clock_timestamp() - interval '60 s' GROUP BY class""")
    )
    return {JobClass(row._mapping["class"]): row.free for row in rows}


def slots(tx: Tx) -> dict[JobClass, int]:
    """Returns the number of slots of each class; only workers that reported in the last minute count."""
    rows = tx.execute(
        text("""SELECT class, sum(slots)::int AS slots FROM workers
                 WHERE draining_at IS NULL AND seen_at > clock_timestamp() - interval '60 s' GROUP BY class""")
    )
    return {JobClass(row._mapping["class"]): row.slots for row in rows}


_LIVE_HOSTS = text(
    "SELECT DISTINCT host FROM workers WHERE seen_at > clock_timestamp() - interval '60 s' ORDER BY host"
)


def live_hosts(tx: Tx) -> tuple[str, ...]:
    """Lists the machines whose workers have reported themselves in the last minute."""
    return tuple(tx.execute(_LIVE_HOSTS).scalars())
