"""Where notifications go: kept with a secret that is shown once, when it is made, and sealed to the workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, text

from norn_tasks.domain.errors import Conflict, NotFound
from norn_tasks.domain.event import EventKind
from norn_tasks.store import tables as t
from norn_tasks.store.facts import tell
from norn_tasks.store.reading import AnySelect, value
from norn_tasks.store.session import Tx


@dataclass(frozen=True)
class Destination:
    """A destination as lists show it: everything but its secret. `apps`, `kinds` None: all."""

    name: str
    url: str
    apps: tuple[str, ...] | None
    kinds: tuple[str, ...] | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class NewDestination:
    """A destination to keep, its secret sealed."""

    name: str
    url: str
    sealed: bytes
    apps: tuple[str, ...] | None
    kinds: tuple[str, ...] | None


def _destinations() -> AnySelect:
    d = t.Destination
    return select(d.name, d.url, d.apps, d.kinds, d.created_by, d.created_at)


def listed(tx: Tx) -> tuple[Destination, ...]:
    """Lists the destinations by name."""
    return tuple(value(Destination, row) for row in tx.execute(_destinations().order_by(t.Destination.name)))


def named(tx: Tx, name: str) -> Destination | None:
    """Answers the destination of a name."""
    row = tx.execute(_destinations().where(t.Destination.name == name)).first()
    return None if row is None else value(Destination, row)


def create(tx: Tx, new: NewDestination, actor: str) -> None:
    """Keeps a new destination; raises Conflict when another one has this name."""
    tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('norn-destinations'))"))
    if named(tx, new.name) is not None:
        raise Conflict(f"there is a destination named {new.name}", hint=f"norn notify remove {new.name}")
    tx.execute(
        insert(t.Destination).values(
            name=new.name, url=new.url, sealed=new.sealed, created_by=actor,
            apps=None if new.apps is None else list(new.apps), kinds=None if new.kinds is None else list(new.kinds),
        )
    )  # fmt: skip
    tell(tx, EventKind.DESTINATION_ADDED, name=new.name, actor=actor)


def remove(tx: Tx, name: str, actor: str) -> None:
    """Forgets a destination and what it was to be sent; raises NotFound."""
    d = t.Destination
    gone = tx.execute(delete(d).where(d.name == name).returning(d.id)).scalar()
    if gone is None:
        raise NotFound(f"there is no destination {name}", hint="norn notify list")
    tx.execute(delete(t.Delivery).where(t.Delivery.destination == gone))
    tell(tx, EventKind.DESTINATION_REMOVED, name=name, actor=actor)
