"""Waits for calls to end: told by the broker, with looks at the row behind it, and no database connection meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, repeat

from norn_api.places import Places
from norn_tasks.domain.execution import ExecutionState
from norn_tasks.store import executions
from norn_tasks.store.live import Ends
from norn_tasks.store.session import Database

_LOOKS = (0.25, 0.25, 0.5)
_EVERY = 1.0


class Waiting:
    """The waiting room of one process."""

    def __init__(self, database: Database, ends: Ends, closing: threading.Event, places: Places) -> None:
        self._database = database
        self._ends = ends
        self._closing = closing
        self._places = places

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds a place for one who will wait; raises TooManyRequests when all are taken."""
        give_back = self._places.take()
        try:
            yield
        finally:
            give_back()

    def until_ended(self, execution: int, seconds: float) -> bool:
        """Waits until the call has ended; False when the time is up or the process is to end."""
        ended = self._ends.expect(execution)
        end = time.monotonic() + seconds
        try:
            for pause in chain(_LOOKS, repeat(_EVERY)):
                left = end - time.monotonic()
                ended.wait(max(0.0, min(pause, left)))
                ended.clear()
                if self._has_ended(execution):
                    return True
                if left <= 0 or self._closing.is_set():
                    return False
        finally:
            self._ends.forget(execution)
        return False

    def _has_ended(self, execution: int) -> bool:
        with self._database.transaction() as tx:
            state = executions.call_state(tx, execution)
        return state is not None and ExecutionState(state).terminal
