"""Exclusive tasks: one process at a time runs each task; the task's row records the time and the result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Float, cast, extract, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import ExclusiveTaskRow

RETENTION, BACKUP, TALLIES = "retention", "backup", "tallies"
"""The names of the tasks."""


@dataclass(frozen=True)
class Done:
    """The last run of a task: its start, its end (None: none has ended), the seconds since the end, and its result."""

    name: str
    begun_at: datetime
    done_at: datetime | None
    age: float | None
    did: dict[str, Any]


_TURN = text("""
INSERT INTO chores(name) VALUES (:name)
ON CONFLICT (name) DO UPDATE SET begun_at = clock_timestamp()
 WHERE chores.begun_at < clock_timestamp() - make_interval(secs => :every)
RETURNING name""")


def my_turn(tx: Tx, name: str, every: float) -> bool:
    """Returns True if the caller must run the task now, because no process has begun it in the last `every` seconds."""
    return tx.execute(_TURN, {"name": name, "every": every}).one_or_none() is not None


def done(tx: Tx, name: str, **did: Any) -> None:
    """Records that a task has just been done."""
    now = text("clock_timestamp()")
    row = insert(ExclusiveTaskRow).values(name=name, done_at=now, did=did)
    tx.execute(row.on_conflict_do_update(index_elements=["name"], set_={"done_at": now, "did": did}))


def seen(tx: Tx, name: str) -> Done | None:
    """Returns the last run of a task; None if it never began."""
    age = cast(extract("epoch", func.clock_timestamp() - ExclusiveTaskRow.done_at), Float)
    query = select(
        ExclusiveTaskRow.name,
        ExclusiveTaskRow.begun_at,
        ExclusiveTaskRow.done_at,
        age.label("age"),
        ExclusiveTaskRow.did,
    ).where(ExclusiveTaskRow.name == name)
    row = tx.execute(query).one_or_none()
    return None if row is None else Done(**row._mapping)


def forget(tx: Tx, name: str) -> None:
    """Makes a task due immediately."""
    tx.execute(update(ExclusiveTaskRow).where(ExclusiveTaskRow.name == name).values(begun_at=text("'epoch'")))
