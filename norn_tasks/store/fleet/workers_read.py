"""Reads the workers, from the last report of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Float, cast, extract, func, select

from norn_tasks.domain.errors import NotFound
from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import value
from norn_tasks.store.database.session import Tx


@dataclass(frozen=True)
class Worker:
    """A worker process of one class; `age` is the number of seconds since its last report."""

    name: str
    class_: str
    host: str
    pid: int
    engine: str | None
    engine_error: str | None
    slots: int
    busy: int
    last_claim_at: datetime | None
    started_at: datetime
    seen_at: datetime
    draining_at: datetime | None
    capabilities: tuple[str, ...]
    age: float


def one(tx: Tx, name: str) -> Worker:
    """Returns one worker; raises NotFound."""
    found = next((worker for worker in listed(tx) if worker.name == name), None)
    if found is None:
        raise NotFound(f"there is no worker {name}", hint="norn worker list")
    return found


def listed(tx: Tx, *, seen_within: float = 3600) -> tuple[Worker, ...]:
    """Lists the workers that reported within `seen_within` seconds, by class and name."""
    w = t.WorkerRow
    age = cast(extract("epoch", func.clock_timestamp() - w.seen_at), Float)
    query = select(
        w.name, w.class_.label("class_"), w.host, w.pid, w.engine, w.engine_error, w.slots, w.busy, w.last_claim_at,
        w.started_at, w.seen_at, w.draining_at, w.capabilities, age.label("age"),
    ).where(age < seen_within).order_by(w.class_, w.name)  # fmt: skip
    return tuple(value(Worker, row) for row in tx.execute(query))
