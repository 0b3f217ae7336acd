"""A database that is asked briefly: for the API, which must say "the database is down" within seconds, never hang.

The server's own timeouts are of no use when the server is frozen or the network is cut. psycopg2 lets a callback do the
waiting for its connections; ours gives up when the transaction of this thread has waited long enough in all. After one
such end, transactions fail at once for a second, so that a thousand requests do not each wait to learn the same.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import extensions

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.session import Database, Tx

TRANSACTION_SECONDS = 2.4
PAUSE_SECONDS = 1.0

_waits = threading.local()


class BriefDatabase(Database):
    """A Database whose transactions spend at most so many seconds waiting for the server, connecting included."""

    def __init__(self, url: str, *, seconds: float = TRANSACTION_SECONDS, pool: int = 20, overflow: int = 20) -> None:
        extensions.set_wait_callback(_wait)
        super().__init__(url, pool=pool, overflow=overflow, pool_timeout=seconds)
        self._seconds = seconds
        self._down_until = 0.0

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Gives a transaction as Database does; raises DatabaseDown in time."""
        if time.monotonic() < self._down_until:
            raise DatabaseDown("the database did not answer a moment ago", hint="norn health", retry_after=2)
        outer = getattr(_waits, "until", None)
        _waits.until = time.monotonic() + self._seconds
        try:
            with super().transaction() as tx:
                yield tx
        except DatabaseDown:
            self._down_until = time.monotonic() + PAUSE_SECONDS
            raise
        finally:
            _waits.until = outer


def _wait(connection: extensions.connection) -> None:
    """Waits for what the connection waits for; a thread outside of a brief transaction waits as long as it takes."""
    until = getattr(_waits, "until", None)
    while (state := connection.poll()) != extensions.POLL_OK:
        left = None if until is None else max(0.0, until - time.monotonic())
        ready = select.poll()
        ready.register(connection, select.POLLIN if state == extensions.POLL_READ else select.POLLOUT)
        if not ready.poll(None if left is None else left * 1000):
            raise psycopg2.OperationalError("it took too long to answer")
