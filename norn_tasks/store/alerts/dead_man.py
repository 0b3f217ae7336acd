"""The dead man's switch (a service that raises an alarm when Norn's calls stop) as a row: when its address was last
called, and the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text, update

from norn_tasks.domain.jobs.writes import DeadManCalled
from norn_tasks.store import tables as t
from norn_tasks.store.database.session import Tx

_ASK = """UPDATE deadman SET asked_at = clock_timestamp()
 WHERE asked_at IS NULL OR asked_at <= clock_timestamp() - make_interval(secs => :period) RETURNING id"""
_LAST = """SELECT error, extract(epoch FROM clock_timestamp() - asked_at)::float8 AS asked,
  extract(epoch FROM clock_timestamp() - answered_at)::float8 AS answered FROM deadman WHERE asked_at IS NOT NULL"""


@dataclass(frozen=True)
class LastCall:
    """Seconds since the last call was requested and since a call was last answered (None: never), and the last
    error.
    """

    asked: float
    answered: float | None
    error: str


def turn(tx: Tx, period: float) -> bool:
    """Returns True to one scheduler in each period, which then requests a call of the address."""
    return tx.execute(text(_ASK), {"period": period}).one_or_none() is not None


def called(tx: Tx, write: DeadManCalled) -> None:
    """Records the result of a call."""
    answered = {"answered_at": text("clock_timestamp()")} if write.answered else {}
    tx.execute(update(t.DeadManRow).values(error="" if write.answered else write.outcome, **answered))


def last(tx: Tx) -> LastCall | None:
    """Returns the result of the last call; None if no call was ever requested."""
    row = tx.execute(text(_LAST)).first()
    return None if row is None else LastCall(row.asked, row.answered, row.error)
