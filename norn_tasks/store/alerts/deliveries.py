"""Deliveries as rows: one per destination and report, tried with growing pauses until it is accepted or given up.

A row is written in the transaction of the change that it reports (`store.alerts`). The scheduler creates a job for each
delivery that is due, and counts the try in the same transaction. So the next try will happen even if the job's worker
dies.

People get one message for several reports that come together. If several rows are due at the same time for a
destination that people read, the first becomes the message. The others become parts of it, and share its tries and its
end. After a message, such a destination gets nothing for some seconds, so that later reports are combined too. A
receiver that asks for a pause gets nothing until the pause ends.

There may be very many reports about calls, and their receiver may hang. So alerts are sent first, and only a few
reports of calls are sent at the same time, because the workers that send them also observe the engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, TextClause, case, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.alerting.notification import CALL_ENDED, DeliveryState, Parcel
from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.writes import DeliveryTried
from norn_tasks.domain.secret import Sealed
from norn_tasks.store import tables as t
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.pages import Cut, Page, newest_first
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.rules.lists import OPEN_STATES

CALLS_AT_ONCE = 16
"""The most reports about calls that are being sent at the same time."""
REST = 10
"""Seconds after a message in which a destination that people read gets no other message, so that new reports are
combined.
"""


@dataclass(frozen=True)
class Delivery:
    """A delivery as its readers see it; `outcome` is the receiver's last answer, or why there was none."""

    id: int
    event: str
    app: str | None
    state: str
    attempts: int
    outcome: str
    created_at: datetime
    next_at: datetime | None
    ended_at: datetime | None


def enqueue_test(tx: Tx, name: str, subject: str, actor: str) -> int:
    """Creates a delivery that only tests whether a destination can be reached; returns its id. Raises NotFound."""
    destination = tx.scalar(select(t.DestinationRow.id).where(t.DestinationRow.name == name))
    if destination is None:
        raise NotFound(f"there is no destination {name}", hint="norn notify list")
    body = {"event": "test", "sentence": f"{actor} sent this to test whether notifications arrive", "destination": name}
    row = insert(t.DeliveryRow).values(destination=destination, subject=subject, event="test", body=body)
    return int(tx.execute(row.returning(t.DeliveryRow.id)).scalar_one())


# Trying


_ON_THEIR_WAY = text(f"""
SELECT count(*) FROM deliveries d JOIN jobs j ON j.id = d.job_id
 WHERE d.state = 'waiting' AND d.event = '{CALL_ENDED}' AND j.state IN {OPEN_STATES}
""")  # noqa: S608 - built from constants
_DUE = f"""
SELECT d.id, d.attempts, d.app, d.event, d.outcome, s.name AS destination,
       s.format <> '{NotificationFormat.JSON}' AND d.attempts = 0 AND d.event <> 'test' AS gathered
  FROM deliveries d JOIN destinations s ON s.id = d.destination
 WHERE d.state = 'waiting' AND d.next_at <= clock_timestamp() AND d.part_of IS NULL
   AND (d.event = '{CALL_ENDED}') = :calls
   AND (s.sent_at IS NULL OR s.sent_at < clock_timestamp() -
        CASE WHEN s.format = '{NotificationFormat.JSON}' OR d.attempts > 0 THEN 0 ELSE {REST} END * interval '1 s')
   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = d.job_id AND j.state IN {OPEN_STATES})
 ORDER BY d.next_at LIMIT :limit FOR UPDATE OF d SKIP LOCKED
"""  # noqa: S608 - built from a constant


_ANY = Prepared(
    "SELECT EXISTS (SELECT FROM callbacks) "
    "OR EXISTS (SELECT FROM deliveries WHERE state = 'waiting' AND next_at <= clock_timestamp())"
)


def anything_waits(tx: Tx) -> bool:
    """Returns True if a call with a callback has not been reported, or if the next try of a delivery is due."""
    return bool(run(tx, _ANY, {}).scalar())


def due(tx: Tx, limit: int) -> list[Row]:
    """Locks and returns deliveries whose next try is due, oldest first; skips rows that another scheduler has locked.

    Reports about calls come after reports about alerts, and only as many as may be sent at the same time.
    """
    alerts = list(tx.execute(text(_DUE), {"limit": limit, "calls": False}).mappings())
    room = min(limit - len(alerts), CALLS_AT_ONCE - int(tx.scalar(_ON_THEIR_WAY) or 0))
    calls = tx.execute(text(_DUE), {"limit": room, "calls": True}).mappings() if room > 0 else ()
    return [*alerts, *calls]


def gather(tx: Tx, rows: Sequence[Row]) -> list[Row]:
    """Combines the new reports for each destination that people read into one message; returns the rows to send."""
    leaders: dict[str, Row] = {}
    sent = [row for row in rows if not row["gathered"] or leaders.setdefault(row["destination"], row) is row]
    k, d = t.DeliveryRow, t.DestinationRow
    for name, leader in leaders.items():
        parts = [row["id"] for row in rows if row["gathered"] and row["destination"] == name and row is not leader]
        tx.execute(update(k).where(k.id.in_(parts)).values(part_of=leader["id"]))
        tx.execute(update(d).where(d.name == name).values(sent_at=NOW))
    return sent


def trying(tx: Tx, delivery: int, job: int, pause: float) -> None:
    """Counts a try, which a job will make; the next try is `pause` seconds later."""
    later = text("clock_timestamp() + make_interval(secs => :pause)").bindparams(pause=pause)
    k = t.DeliveryRow
    tx.execute(update(k).where(_together(delivery)).values(attempts=k.attempts + 1, job_id=job, next_at=later))


def give_up(tx: Tx, row: Row) -> None:
    """Ends a delivery whose tries are used up."""
    k = t.DeliveryRow
    tx.execute(update(k).where(_together(row["id"])).values(state=str(DeliveryState.GIVEN_UP), ended_at=NOW))
    publish(
        tx, EventKind.NOTIFICATION_GIVEN_UP, app=row["app"], delivery=row["id"], destination=row["destination"],
        attempts=row["attempts"], outcome=row["outcome"],
    )  # fmt: skip


def tried(tx: Tx, write: DeliveryTried) -> None:
    """Records the outcome of a try; does nothing if the row was deleted together with its destination."""
    k = t.DeliveryRow
    changed: dict[str, Any] = {"state": str(DeliveryState.DELIVERED), "ended_at": NOW} if write.taken else {}
    if not write.taken and write.pause is not None:
        later = text("clock_timestamp() + make_interval(secs => :pause)").bindparams(pause=write.pause)
        _leave_alone(tx, write.delivery, later)
        changed["next_at"] = func.greatest(k.next_at, later)
    if write.left:
        tx.execute(update(k).where(k.id == write.delivery).values(left_to=",".join(write.left)))
    waiting = (_together(write.delivery), k.state == str(DeliveryState.WAITING))
    tx.execute(update(k).where(*waiting).values(outcome=write.outcome, **changed))


def _leave_alone(tx: Tx, delivery: int, until: TextClause) -> None:
    """Makes the destination of a delivery wait: none of its deliveries is due before `until`."""
    k, d = t.DeliveryRow, t.DestinationRow
    where = select(k.destination).where(k.id == delivery).scalar_subquery()
    tx.execute(update(d).where(d.id == where).values(sent_at=func.greatest(d.sent_at, until)))


def _together(delivery: int) -> ColumnElement[bool]:
    """Returns the condition for the rows of a message: the delivery and its parts."""
    k = t.DeliveryRow
    return or_(k.id == delivery, k.part_of == delivery)


def parcel(tx: Tx, delivery: int, instance: str) -> Parcel | None:
    """Returns a waiting delivery with its parts and its encrypted secret; None if nothing is left to send."""
    k, d = t.DeliveryRow, t.DestinationRow
    now = func.floor(func.extract("epoch", func.clock_timestamp())).label("now")
    query = select(k.event, k.body, k.left_to, d.url, d.name, d.sealed, d.format, now).join(d, d.id == k.destination)
    row = tx.execute(query.where(k.id == delivery, k.state == str(DeliveryState.WAITING))).first()
    if row is None:
        return None
    sealed = None if row.sealed is None else Sealed(row.name, 1, bytes(row.sealed))
    others = tuple(tx.execute(select(k.body).where(k.part_of == delivery).order_by(k.id)).scalars())
    return Parcel(
        f"{instance}-{delivery}",
        row.event,
        row.url,
        sealed,
        row.body,
        int(row.now),
        NotificationFormat(row.format),
        others,
        tuple(filter(None, row.left_to.split(","))),
    )


# Reading


def listed(tx: Tx, name: str, cut: Cut) -> Page[Delivery]:
    """Lists the deliveries to a destination, newest first; raises NotFound."""
    k = t.DeliveryRow
    destination = tx.scalar(select(t.DestinationRow.id).where(t.DestinationRow.name == name))
    if destination is None:
        raise NotFound(f"there is no destination {name}", hint="norn notify list")
    upcoming = case((k.state == str(DeliveryState.WAITING), k.next_at), else_=None).label("next_at")
    columns = (
        k.id,
        k.event,
        k.app,
        k.state,
        k.attempts,
        k.outcome.label("outcome"),
        k.created_at,
        upcoming,
        k.ended_at,
    )
    return newest_first(tx, select(*columns).where(k.destination == destination), k.id, Delivery, cut)


def given_up_lately(tx: Tx) -> int:
    """Counts the deliveries of the last day that were given up."""
    lately = (
        "SELECT count(*) FROM deliveries WHERE state = 'given-up' AND ended_at > clock_timestamp() - interval '1 day'"
    )
    return int(tx.scalar(text(lately)) or 0)
