"""Alerts as rows: raised once, resolved once, each with its event and its deliveries in the transaction of the fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.alert import AlertKind, NewAlert, key
from norn_tasks.domain.event import EventKind
from norn_tasks.store import deliveries
from norn_tasks.store import tables as t
from norn_tasks.store.facts import tell
from norn_tasks.store.reading import AnyRow, AnySelect, Cut, Page, Reach, equal, newest_first, value, within
from norn_tasks.store.session import Tx


@dataclass(frozen=True)
class Alert:
    """An alert as its readers see it; open while `resolved_at` is None."""

    id: int
    kind: str
    app: str
    sentence: str
    hint: str
    raised_at: datetime
    resolved_at: datetime | None
    resolution: str | None


_COLUMNS = (
    t.Alert.id, t.Alert.kind, t.Alert.app, t.Alert.sentence, t.Alert.hint, t.Alert.raised_at, t.Alert.resolved_at,
    t.Alert.resolution,
)  # fmt: skip


def raise_alert(tx: Tx, new: NewAlert) -> None:
    """Opens an alert and tells it; where its key is open already, only the sentence is brought up to date."""
    a = t.Alert
    row = insert(a).values(
        key=new.key, kind=str(new.kind), app=new.app, sentence=new.sentence, hint=new.hint, tick=new.tick
    )
    renewed = row.on_conflict_do_update(
        index_elements=["key"],
        index_where=a.resolved_at.is_(None),
        set_={"sentence": new.sentence, "hint": new.hint, "tick": text("greatest(alerts.tick, excluded.tick)")},
    )
    written = tx.execute(renewed.returning(*_COLUMNS, text("(xmax = 0) AS opened"))).one()
    if written.opened:
        _tell(tx, EventKind.ALERT_RAISED, _alert(written))


def resolve(tx: Tx, app: str, kinds: Sequence[AlertKind], because: str) -> None:
    """Ends the app's open alerts of these kinds and tells it; fine when there is none."""
    a = t.Alert
    keys = [key(kind, app) for kind in kinds]
    ended = (
        update(a)
        .where(a.key.in_(keys), a.resolved_at.is_(None))
        .values(resolved_at=text("clock_timestamp()"), resolution=because)
    )
    for row in tx.execute(ended.returning(*_COLUMNS)).all():
        _tell(tx, EventKind.ALERT_RESOLVED, _alert(row))


def _tell(tx: Tx, event: EventKind, alert: Alert) -> None:
    told: dict[str, Any] = {
        "alert": alert.id, "kind": alert.kind, "sentence": alert.sentence, "hint": alert.hint,
        "resolution": alert.resolution,
    }  # fmt: skip
    tell(tx, event, app=alert.app, **told)
    at = alert.resolved_at or alert.raised_at
    body = {"event": str(event), "at": at.isoformat(), "app": alert.app, **told}
    deliveries.enqueue(tx, event, f"{event}-{alert.id}", app=alert.app, kind=alert.kind, body=body)


def _alert(row: AnyRow) -> Alert:
    return Alert(*row[: len(_COLUMNS)])


# Reading


def _alerts() -> AnySelect:
    return select(*_COLUMNS)


def listed(
    tx: Tx, *, app: str | None = None, kind: str | None = None, also_resolved: bool, reach: Reach, cut: Cut
) -> Page[Alert]:
    """Lists alerts, newest first: the open ones, or also those that are resolved."""
    a = t.Alert
    wanted = [*equal(app=(a.app, app), kind=(a.kind, kind)), *within(a.app, reach)]
    if not also_resolved:
        wanted.append(a.resolved_at.is_(None))
    return newest_first(tx, _alerts().where(*wanted), a.id, Alert, cut)


def open_of(tx: Tx, apps: tuple[str, ...]) -> dict[str, tuple[Alert, ...]]:
    """Answers the open alerts of these apps, of those that have some, oldest first."""
    a, found = t.Alert, dict[str, tuple[Alert, ...]]()
    for row in tx.execute(_alerts().where(a.resolved_at.is_(None), a.app.in_(apps)).order_by(a.id)):
        found[row.app] = (*found.get(row.app, ()), value(Alert, row))
    return found


def count_open(tx: Tx) -> int:
    """Counts the open alerts."""
    return int(tx.scalar(text("SELECT count(*) FROM alerts WHERE resolved_at IS NULL")) or 0)
