"""The internal names of the live webservers, for the containers of runs."""

from __future__ import annotations

import threading
import time

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.database.session import Database
from norn_tasks.store.replicas import routes

KEPT_SECONDS = 1.0
"""How many seconds the names are remembered, so that a worker with many runs does not read them for each run."""


class InternalNames:
    """Returns the names; while the database is unreachable, the last ones that were read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._names: tuple[str, ...] = ()
        self._read_at: float | None = None

    def __call__(self) -> tuple[str, ...]:
        """Returns the names as they were at most a second ago, or when the database last answered."""
        with self._lock:
            if self._read_at is None or time.monotonic() - self._read_at > KEPT_SECONDS:
                self._read()
            return self._names

    def _read(self) -> None:
        try:
            with self._database.transaction() as tx:
                self._names = routes.internal_names(tx)
        except DatabaseDown:
            return
        self._read_at = time.monotonic()
