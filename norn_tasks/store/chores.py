"""The chores of the house: each is done by one process at a time; its row tells when it was done and what it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Float, cast, extract, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.store.session import Tx
from norn_tasks.store.tables import Chore

RETENTION, BACKUP, TALLIES = "retention", "backup", "tallies"
"""The names of the chores."""


@dataclass(frozen=True)
class Done:
    """A chore as it was done last: when, how many seconds ago, and what it did; `done_at` None: not to its end yet."""

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
    """True for the one who is to do the chore now: nobody has begun it for so many seconds."""
    return tx.execute(_TURN, {"name": name, "every": every}).one_or_none() is not None


def done(tx: Tx, name: str, **did: Any) -> None:
    """Keeps that a chore was done just now."""
    now = text("clock_timestamp()")
    row = insert(Chore).values(name=name, done_at=now, did=did)
    tx.execute(row.on_conflict_do_update(index_elements=["name"], set_={"done_at": now, "did": did}))


def seen(tx: Tx, name: str) -> Done | None:
    """Answers how a chore was done last; None when it never was begun."""
    age = cast(extract("epoch", func.clock_timestamp() - Chore.done_at), Float)
    query = select(Chore.name, Chore.begun_at, Chore.done_at, age.label("age"), Chore.did).where(Chore.name == name)
    row = tx.execute(query).one_or_none()
    return None if row is None else Done(**row._mapping)


def forget(tx: Tx, name: str) -> None:
    """Lets a chore be done again at once."""
    tx.execute(update(Chore).where(Chore.name == name).values(begun_at=text("'epoch'")))
