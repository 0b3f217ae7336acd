"""Waits for the end of calls, which the broker announces, without holding a database connection.

If the end of a call is announced within a second, its row is not read. After that, the row is polled, in case the
announcement was lost. While the connection to the broker is broken, the row is polled from the beginning.
"""

from __future__ import annotations

import threading
import time
from itertools import chain, repeat

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.jobs.execution import ExecutionState
from norn_tasks.store.broker.live import Ends
from norn_tasks.store.database.session import Database
from norn_tasks.store.runs import runs_read

_LOOKS = (0.25, 0.25, 0.5)
"""The seconds before each of the first polls of the row while the connection to the broker is broken."""
_EVERY = 1.0
"""The seconds before each later poll."""


class EndWaiter:
    """Lets the requests of one process wait for the ends of calls."""

    def __init__(self, database: Database, ends: Ends, closing: threading.Event) -> None:
        self._database = database
        self._ends = ends
        self._closing = closing

    def until_ended(self, execution: int, seconds: float, *, looking: bool = False) -> bool:
        """Waits until the call has ended; returns False if the time is over or the process ends.

        `looking`: an announcement is not enough, and the row must say that the call has ended.
        """
        ended = self._ends.expect(execution)
        end = time.monotonic() + seconds
        try:
            for pause in chain(() if self._ends.hears else _LOOKS, repeat(_EVERY)):
                left = end - time.monotonic()
                ended.wait(max(0.0, min(pause, left)))
                if not looking and self._ends.announced(execution):
                    return True
                ended.clear()
                if self._has_ended(execution):
                    return True
                if left <= 0 or self._closing.is_set():
                    return False
        finally:
            self._ends.forget(execution)
        return False

    def has_ended(self, execution: int, *, looking: bool) -> bool:
        """Returns True if the end of the call was announced, or with `looking` if its row says so."""
        return self._ends.announced(execution) or (looking and self._has_ended(execution))

    def _has_ended(self, execution: int) -> bool:
        """Returns True if the row says that the call has ended; returns False if the database is unreachable."""
        try:
            with self._database.transaction() as tx:
                state = runs_read.call_state(tx, execution)
        except DatabaseDown:
            return False
        return state is not None and ExecutionState(state).terminal
