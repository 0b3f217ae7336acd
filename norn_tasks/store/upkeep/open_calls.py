"""The requests of calls that have not ended, for a backup. Without its request, a call could not run after a
restore.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import text

from norn_tasks.store.database.session import Tx

_OPEN = text("""SELECT io.execution, io.request FROM execution_io io JOIN func_executions f ON f.id = io.execution
    WHERE f.finished_at IS NULL OR f.finished_at >= :since""")
_LOAD = text("""INSERT INTO execution_io(execution, request)
    SELECT :execution, :request WHERE EXISTS (SELECT 1 FROM func_executions WHERE id = :execution)""")
_TRIMMED = text("""UPDATE func_executions f SET trimmed_at = clock_timestamp() WHERE trimmed_at IS NULL
    AND finished_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM execution_io io WHERE io.execution = f.id)""")


def now(tx: Tx) -> datetime:
    """Returns the time of the database."""
    found: datetime = tx.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def requests_since(tx: Tx, since: datetime) -> Iterator[tuple[int, bytes | None]]:
    """Yields the requests of calls that were open at `since` or later.

    In a dump that began at `since`, each of these calls is either open or missing.
    """
    for row in tx.execute(_OPEN, {"since": since}):
        yield row.execution, None if row.request is None else bytes(row.request)


def add(tx: Tx, requests: Iterable[tuple[int, bytes | None]]) -> None:
    """Stores the requests of the calls that the database has, and marks ended calls without bytes as trimmed."""
    for execution, request in requests:
        tx.execute(_LOAD, {"execution": execution, "request": request})
    tx.execute(_TRIMMED)
