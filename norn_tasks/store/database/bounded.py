"""A database with a short time limit, for the API: it must say "the database is down" within seconds, and never hang.

The server's own timeouts have no effect while the server is frozen or the network is cut. psycopg2 can leave the
waiting for a server to a callback. The callback here gives up when the complete transaction of its thread has taken too
long. If no transaction of the process got a response from the server in that time, transactions fail immediately for
one second. Otherwise a thousand requests would each wait for the same error. One slow transaction alone does not make
others fail.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2 import extensions

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.database.prepared import Prepared
from norn_tasks.store.database.session import Database, Note, Row, Tx
from norn_tasks.store.database.trouble import TOO_LONG

TRANSACTION_SECONDS = 2.4
PAUSE_SECONDS = 1.0

_waits = threading.local()


class _Line:
    """The state of one server, shared by all threads: when it last responded, and until when it counts as down."""

    def __init__(self) -> None:
        self.heard = float("-inf")
        self.down_until = float("-inf")


class BriefDatabase(Database):
    """A Database whose transactions wait for the server at most a given number of seconds, including the connection."""

    def __init__(
        self,
        url: str,
        *,
        seconds: float = TRANSACTION_SECONDS,
        pool: int = 20,
        pooled: bool = False,
        process: str = "norn",
        ping_after_idle: float = 0.0,
    ) -> None:
        extensions.set_wait_callback(_wait)
        super().__init__(
            url, pool=pool, pool_timeout=seconds, pooled=pooled, process=process, ping_after_idle=ping_after_idle
        )
        self._seconds = seconds
        self._line = _Line()

    @contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """Lets the transactions of this thread take `seconds`, and lets them try even while others fail immediately."""
        before = getattr(_waits, "patience", None)
        _waits.patience = seconds
        try:
            yield
        finally:
            _waits.patience = before

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Yields a transaction as Database does; raises DatabaseDown at the time limit."""
        with self._limited(), super().transaction() as tx:
            yield tx

    def execute_autocommit(
        self, statement: Prepared, values: Mapping[str, Any], noted: Callable[[Row], Note] | None = None
    ) -> Sequence[Row]:
        """Runs a statement as Database does; raises DatabaseDown at the time limit."""
        with self._limited():
            return super().execute_autocommit(statement, values, noted)

    def commit_one(
        self, statement: Prepared, values: Mapping[str, Any], notes: Callable[[Sequence[Row]], Sequence[Note]]
    ) -> Sequence[Row]:
        """Runs a statement as Database does; raises DatabaseDown at the time limit."""
        with self._limited():
            return super().commit_one(statement, values, notes)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Limits the time of a transaction in the block."""
        patience, began = getattr(_waits, "patience", None), time.monotonic()
        if patience is None and began < self._line.down_until:
            raise DatabaseDown("the database did not answer a moment ago", hint="norn health", retry_after=2)
        outer = getattr(_waits, "until", None), getattr(_waits, "line", None)
        _waits.until, _waits.line, _waits.ran_out = began + (patience or self._seconds), self._line, False
        try:
            yield
        except DatabaseDown:
            if _waits.ran_out and self._line.heard < began:
                self._line.down_until = time.monotonic() + PAUSE_SECONDS
            raise
        finally:
            _waits.until, _waits.line = outer


def _wait(connection: extensions.connection) -> None:
    """Waits until the connection has its result; only a thread in a brief transaction has a time limit."""
    until = getattr(_waits, "until", None)
    while (state := connection.poll()) != extensions.POLL_OK:
        left = None if until is None else max(0.0, until - time.monotonic())
        ready = select.poll()
        ready.register(connection, select.POLLIN if state == extensions.POLL_READ else select.POLLOUT)
        if not ready.poll(None if left is None else left * 1000):
            _waits.ran_out = True
            raise psycopg2.OperationalError(TOO_LONG)
    line = getattr(_waits, "line", None)
    if line is not None:
        line.heard = time.monotonic()
