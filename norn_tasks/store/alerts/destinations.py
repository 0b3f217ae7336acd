"""The destinations of notifications: their addresses and formats, and the alerts that each gets.

A destination for signed webhooks has a secret. It is shown once, when it is created, and is encrypted so that only
workers can read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, text

from norn_tasks.domain.alerting.alert import Severity
from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.errors import Conflict, NotFound
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import AnySelect, value
from norn_tasks.store.database.session import Tx
from norn_tasks.store.events.publishing import publish


@dataclass(frozen=True)
class Destination:
    """A destination as lists show it: everything but its secret. `apps` or `kinds` is None if it gets all of them."""

    name: str
    url: str
    format: str
    apps: tuple[str, ...] | None
    kinds: tuple[str, ...] | None
    severity: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class NewDestination:
    """A destination to store."""

    name: str
    """Its name."""
    url: str
    """Its address."""
    sealed: bytes | None
    """The encrypted secret for signatures; None for every format except `json`."""
    apps: tuple[str, ...] | None
    """The apps whose alerts it gets; None for all."""
    kinds: tuple[str, ...] | None
    """The kinds of alerts that it gets; None for all."""
    format: NotificationFormat = NotificationFormat.JSON
    """The format of the messages that it gets."""
    severity: Severity = Severity.WARNING
    """The least severity of an alert that it gets."""


def _destinations() -> AnySelect:
    d = t.DestinationRow
    return select(d.name, d.url, d.format, d.apps, d.kinds, d.severity, d.created_by, d.created_at)


def listed(tx: Tx) -> tuple[Destination, ...]:
    """Lists the destinations by name."""
    return tuple(value(Destination, row) for row in tx.execute(_destinations().order_by(t.DestinationRow.name)))


def named(tx: Tx, name: str) -> Destination | None:
    """Returns the destination with this name; None if there is none."""
    row = tx.execute(_destinations().where(t.DestinationRow.name == name)).first()
    return None if row is None else value(Destination, row)


def create(tx: Tx, new: NewDestination, actor: str) -> None:
    """Stores a new destination; raises Conflict if another one has this name."""
    tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('norn-destinations'))"))
    if named(tx, new.name) is not None:
        raise Conflict(f"there is a destination named {new.name}", hint=f"norn notify remove {new.name}")
    tx.execute(
        insert(t.DestinationRow).values(
            name=new.name, url=new.url, sealed=new.sealed, created_by=actor,
            format=str(new.format), severity=str(new.severity),
            apps=None if new.apps is None else list(new.apps), kinds=None if new.kinds is None else list(new.kinds),
        )
    )  # fmt: skip
    publish(tx, EventKind.DESTINATION_ADDED, name=new.name, actor=actor)


def remove(tx: Tx, name: str, actor: str) -> None:
    """Removes a destination with its deliveries; raises NotFound."""
    d = t.DestinationRow
    gone = tx.execute(delete(d).where(d.name == name).returning(d.id)).scalar()
    if gone is None:
        raise NotFound(f"there is no destination {name}", hint="norn notify list")
    tx.execute(delete(t.DeliveryRow).where(t.DeliveryRow.destination == gone))
    tx.execute(delete(t.CallbackRow).where(t.CallbackRow.destination == gone))
    publish(tx, EventKind.DESTINATION_REMOVED, name=name, actor=actor)
