"""Figures of the calls of functions in the last hour: how many there were, how many failed, how long they took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from norn_tasks.store.database.session import Tx
from norn_tasks.store.rules.lists import OPEN_RUN_STATES

_LAST_HOUR = f"""
SELECT app, count(*) AS calls,
       count(*) FILTER (WHERE state NOT IN {OPEN_RUN_STATES} AND state NOT IN ('succeeded', 'cancelled')) AS errors,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99
  FROM func_executions
 WHERE app = ANY(%s) AND created_at > clock_timestamp() - interval '1 hour' GROUP BY app
"""  # noqa: S608 - built from a constant
_OF = text(_LAST_HOUR.replace("%s", ":apps"))
_OF_ALL = text(_LAST_HOUR.replace("%s", "ARRAY(SELECT name FROM apps WHERE role = 'function')"))


@dataclass(frozen=True)
class CallFigures:
    """The calls of a function in the last hour; the durations are those of ended calls, and None if no call ended."""

    calls: int = 0
    errors: int = 0
    p50_ms: int | None = None
    p99_ms: int | None = None


def of(tx: Tx, functions: tuple[str, ...]) -> dict[str, CallFigures]:
    """Returns the figures of these functions; a function that was not called is left out."""
    if not functions:
        return {}
    return _read(tx.execute(_OF, {"apps": list(functions)}).all())


def of_all(tx: Tx) -> dict[str, CallFigures]:
    """Returns the figures of every function that was called in the last hour."""
    return _read(tx.execute(_OF_ALL).all())


def _read(rows: Iterable[Any]) -> dict[str, CallFigures]:
    return {row.app: CallFigures(row.calls, row.errors, _whole(row.p50), _whole(row.p99)) for row in rows}


def _whole(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds)
