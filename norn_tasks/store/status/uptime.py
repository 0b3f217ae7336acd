"""The part of the time in which a webserver or worker served, and its last changes of state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text

from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import Cut, Page, newest_first, value
from norn_tasks.store.database.session import Tx

DAY, WEEK = 86_400, 7 * 86_400
CHANGES = 10


@dataclass(frozen=True)
class StateSpan:
    """A period in which an app was in one state; the current period has no end."""

    state: str
    reason: str
    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class ListedSpan(StateSpan):
    """A period of a state as a list shows it, with its id."""

    id: int


@dataclass(frozen=True)
class Uptime:
    """The percentage of the last day and week in which at least one replica served.

    Periods in which the app was scaled to 0 replicas are left out. The values are None if there was no observation.
    """

    day: float | None
    week: float | None
    changes: tuple[StateSpan, ...]


_SHARE = text("""
SELECT 100 * coalesce(sum(seconds) FILTER (WHERE state <> 'down'), 0) / nullif(sum(seconds), 0) FROM (
  SELECT state, CAST(extract(epoch FROM least(coalesce(ended_at, clock_timestamp()), clock_timestamp())
         - greatest(began_at, clock_timestamp() - make_interval(secs => :span))) AS float8) AS seconds
    FROM app_states WHERE app = :app AND state <> 'stopped'
     AND coalesce(ended_at, 'infinity') > clock_timestamp() - make_interval(secs => :span)) s""")


def uptime_of(tx: Tx, app: str) -> Uptime:
    """Returns the uptime of an app and its last changes of state, newest first."""
    s = t.AppStateRow
    columns = (s.state, s.reason, s.began_at, s.ended_at)
    changes = tx.execute(select(*columns).where(s.app == app).order_by(s.id.desc()).limit(CHANGES)).all()
    return Uptime(_share(tx, app, DAY), _share(tx, app, WEEK), tuple(value(StateSpan, row) for row in changes))


def listed(tx: Tx, app: str, *, cut: Cut) -> Page[ListedSpan]:
    """Lists the states of an app, newest first."""
    s = t.AppStateRow
    query = select(s.state, s.reason, s.began_at, s.ended_at, s.id).where(s.app == app)
    return newest_first(tx, query, s.id, ListedSpan, cut)


def _share(tx: Tx, app: str, span: int) -> float | None:
    share = tx.scalar(_SHARE, {"app": app, "span": span})
    return None if share is None else round(float(share), 2)
