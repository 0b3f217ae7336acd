"""The state of the schedulers (Celery's beat), for people: whether one is alive, and how late it decides."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.store.database.session import Tx

_SEEN = """SELECT extract(epoch FROM clock_timestamp() - seen_at)::float8 AS silent, lag_seconds FROM beats
 ORDER BY seen_at DESC LIMIT 1"""
_OVERDUE = """SELECT coalesce(extract(epoch FROM clock_timestamp() - min(next_due)), 0)::float8 FROM cron_states
 WHERE next_due <= clock_timestamp()"""


@dataclass(frozen=True)
class Pulse:
    """The state of the schedulers: seconds since the last report of any of them (None: there is none), and how late
    decisions are.
    """

    silent: float | None
    lag: float


def overdue(tx: Tx) -> float:
    """Returns the seconds that the oldest due occurrence has waited for its verdict; 0 if none is due."""
    return float(tx.scalar(text(_OVERDUE)) or 0.0)


def pulse(tx: Tx) -> Pulse:
    """Returns the state of the schedulers; `lag` is the metric `beat_lag_seconds`."""
    row = tx.execute(text(_SEEN)).first()
    return Pulse(None if row is None else row.silent, max(overdue(tx), 0.0 if row is None else row.lag_seconds))
