"""Deliveries as rows: one per destination and thing to tell, tried with growing pauses until taken or given up.

A row is written with the alert that it tells (`store.alerts`). Beat makes a job of each that is due, and counts the try
then: what becomes of the job, a worker that dies with it included, the next try is already fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.event import EventKind
from norn_tasks.domain.notification import DeliveryState, Parcel
from norn_tasks.domain.secret import Sealed
from norn_tasks.domain.writes import DeliveryTried
from norn_tasks.store import tables as t
from norn_tasks.store.facts import tell
from norn_tasks.store.reading import Cut, Page, newest_first
from norn_tasks.store.session import Database, Row, Tx

_NOW = text("clock_timestamp()")


@dataclass(frozen=True)
class Delivery:
    """A delivery as its readers see it; `told` is what the receiver answered last, or why it was not reached."""

    id: int
    event: str
    app: str | None
    state: str
    attempts: int
    told: str
    created_at: datetime
    next_at: datetime | None
    ended_at: datetime | None


def enqueue_test(tx: Tx, name: str, subject: str, actor: str) -> int:
    """Writes a delivery that only tries whether a destination is reached; answers its id."""
    destination = tx.scalar(select(t.Destination.id).where(t.Destination.name == name))
    if destination is None:
        raise NotFound(f"there is no destination {name}", hint="norn notify list")
    body = {"event": "test", "sentence": f"{actor} tries whether notifications arrive", "destination": name}
    row = insert(t.Delivery).values(destination=destination, subject=subject, event="test", body=body)
    return int(tx.execute(row.returning(t.Delivery.id)).scalar_one())


# Trying


_DUE = """
SELECT d.id, d.attempts, d.app, d.event, d.told, s.name AS destination FROM deliveries d
  JOIN destinations s ON s.id = d.destination
 WHERE d.state = 'waiting' AND d.next_at <= clock_timestamp()
   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = d.job_id AND j.state IN ('queued', 'running'))
 ORDER BY d.next_at LIMIT :limit FOR UPDATE OF d SKIP LOCKED
"""


def due(tx: Tx, limit: int) -> list[Row]:
    """Locks and answers deliveries whose next try is due, oldest first; what another beat holds is left to it."""
    return list(tx.execute(text(_DUE), {"limit": limit}).mappings())


def trying(tx: Tx, delivery: int, job: int, pause: float) -> None:
    """Counts a try that a job makes; the one after it comes `pause` seconds later."""
    later = text("clock_timestamp() + make_interval(secs => :pause)").bindparams(pause=pause)
    k = t.Delivery
    tx.execute(update(k).where(k.id == delivery).values(attempts=k.attempts + 1, job_id=job, next_at=later))


def give_up(tx: Tx, row: Row) -> None:
    """Ends a delivery whose tries are used up."""
    k = t.Delivery
    tx.execute(update(k).where(k.id == row["id"]).values(state=str(DeliveryState.GIVEN_UP), ended_at=_NOW))
    tell(
        tx, EventKind.NOTIFICATION_GIVEN_UP, app=row["app"], delivery=row["id"], destination=row["destination"],
        attempts=row["attempts"], told=row["told"],
    )  # fmt: skip


def tried(tx: Tx, write: DeliveryTried) -> None:
    """Writes down what came of a try; the row of a removed destination is gone, and that is fine."""
    k = t.Delivery
    ended: dict[str, Any] = {"state": str(DeliveryState.DELIVERED), "ended_at": _NOW} if write.taken else {}
    waiting = (k.id == write.delivery, k.state == str(DeliveryState.WAITING))
    tx.execute(update(k).where(*waiting).values(told=write.told, **ended))


class Outbox:
    """What a worker that sends needs of the store (ports.Outbox)."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database, self._instance = database, instance

    def parcel(self, delivery: int) -> Parcel | None:
        """Answers a delivery that waits, with a sealed secret; None when there is nothing to send any more."""
        k, d = t.Delivery, t.Destination
        now = func.floor(func.extract("epoch", func.clock_timestamp())).label("now")
        query = select(k.event, k.body, d.url, d.name, d.sealed, now).join(d, d.id == k.destination)
        with self._database.transaction() as tx:
            row = tx.execute(query.where(k.id == delivery, k.state == str(DeliveryState.WAITING))).first()
        if row is None:
            return None
        sealed = Sealed(row.name, 1, bytes(row.sealed))
        return Parcel(f"{self._instance}-{delivery}", row.event, row.url, sealed, row.body, int(row.now))


# Reading


def listed(tx: Tx, name: str, cut: Cut) -> Page[Delivery]:
    """Lists what a destination was sent, newest first; raises NotFound."""
    k = t.Delivery
    destination = tx.scalar(select(t.Destination.id).where(t.Destination.name == name))
    if destination is None:
        raise NotFound(f"there is no destination {name}", hint="norn notify list")
    upcoming = case((k.state == str(DeliveryState.WAITING), k.next_at), else_=None).label("next_at")
    columns = (k.id, k.event, k.app, k.state, k.attempts, k.told, k.created_at, upcoming, k.ended_at)
    return newest_first(tx, select(*columns).where(k.destination == destination), k.id, Delivery, cut)


def given_up_lately(tx: Tx) -> int:
    """Counts the deliveries of the last day that were given up."""
    lately = (
        "SELECT count(*) FROM deliveries WHERE state = 'given-up' AND ended_at > clock_timestamp() - interval '1 day'"
    )
    return int(tx.scalar(text(lately)) or 0)
