"""Reads the events in one order, (transaction, id), up to the oldest transaction that may still write events.

If readers remembered only an id, they would miss rows, because a row with a lower id may be committed later. All
transactions below `pg_snapshot_xmin` have ended, so the events up to there are complete, and the cursor of a reader is
the last pair that it read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.store.database.pages import Reach
from norn_tasks.store.database.session import Tx

_MAX = 2**63 - 1
"""The largest number of PostgreSQL's bigint."""


@dataclass(frozen=True, order=True)
class Cursor:
    """The position of a reader in the stream, written as `<xact>-<id>`."""

    xact: int = 0
    id: int = 0

    def __str__(self) -> str:
        return f"{self.xact}-{self.id}"

    @staticmethod
    def parse(written: str) -> Cursor:
        """Parses `<xact>-<id>`; raises InvalidRequest."""
        xact, dash, number = written.partition("-")
        if not (dash and xact.isascii() and xact.isdecimal() and number.isascii() and number.isdecimal()):
            raise InvalidRequest(f"after: {written[:40]!r} is not the id of an event", hint="an id looks like 812-4711")
        if max(len(xact), len(number)) > 19 or max(int(xact), int(number)) > _MAX:
            raise InvalidRequest("after: there is no such event", hint="take an id as the event stream gave it")
        return Cursor(int(xact), int(number))


@dataclass(frozen=True)
class StoredEvent:
    """An event as its readers see it; `seq` counts the events of its job without gaps."""

    place: Cursor
    at: datetime
    kind: str
    app: str | None
    job: int | None
    seq: int | None
    data: dict[str, Any]


_AFTER = """
SELECT xact::text AS xact, id, at, kind, app, job_id, seq, data FROM events
 WHERE (xact, id) > (CAST(:xact AS xid8), :id) AND xact < pg_snapshot_xmin(pg_current_snapshot()) {more}
 ORDER BY events.xact, id LIMIT :limit
"""
_NEWEST = """
SELECT xact::text AS xact, id, at, kind, app, job_id, seq, data FROM events
 WHERE xact < pg_snapshot_xmin(pg_current_snapshot()) {more}
 ORDER BY events.xact DESC, id DESC LIMIT :limit
"""
_MORE = {"app": "AND app = :app", "job": "AND job_id = :job", "reach": "AND app = ANY(:reach)"}
_END = """
SELECT xact::text AS xact, id FROM events WHERE xact < pg_snapshot_xmin(pg_current_snapshot())
 ORDER BY events.xact DESC, id DESC LIMIT 1
"""
_BEHIND = "SELECT EXISTS (SELECT 1 FROM events WHERE xact >= pg_snapshot_xmin(pg_current_snapshot()))"


def after(
    tx: Tx, place: Cursor, *, app: str | None = None, job: int | None = None, reach: Reach = None, limit: int = 500
) -> tuple[StoredEvent, ...]:
    """Returns at most `limit` events after a cursor, in order."""
    bound = {"xact": str(place.xact), "id": place.id, "limit": limit}
    return _read(tx, _AFTER, {"app": app, "job": job, "reach": reach}, bound)


def _read(tx: Tx, query: str, filters: dict[str, Any], bound: dict[str, Any]) -> tuple[StoredEvent, ...]:
    wanted = {name: thing for name, thing in filters.items() if thing is not None}
    if "reach" in wanted:
        wanted["reach"] = sorted(wanted["reach"])
    rows = tx.execute(text(query.format(more=" ".join(_MORE[name] for name in wanted))), bound | wanted)
    return tuple(
        StoredEvent(Cursor(int(row.xact), row.id), row.at, row.kind, row.app, row.job_id, row.seq, row.data)
        for row in rows
    )


def end(tx: Tx) -> Cursor:
    """Returns the cursor after the last event that can be read now."""
    row = tx.execute(text(_END)).first()
    return Cursor() if row is None else Cursor(int(row.xact), row.id)


def behind(tx: Tx) -> bool:
    """Returns True if there are events that cannot be read yet because an older transaction is still open."""
    return bool(tx.execute(text(_BEHIND)).scalar())


def newest(
    tx: Tx, *, app: str | None = None, job: int | None = None, reach: Reach = None, limit: int = 100
) -> tuple[StoredEvent, ...]:
    """Returns the last events that can be read now, in order."""
    return tuple(reversed(_read(tx, _NEWEST, {"app": app, "job": job, "reach": reach}, {"limit": limit})))
