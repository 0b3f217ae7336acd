"""The router's connection to the database: reads the routing table after each change, and writes the router's reports.

Two separate threads do this, so that a database that hangs never delays a request. A report that cannot be written is
dropped. The next read of the table shows that it is missing, and the router writes it again.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable

import structlog

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.database.session import ROUTES, Database, Tx
from norn_tasks.store.replicas.routes import Routes, live_routes

POLL_SECONDS = 2.0
RETRY_SECONDS = 1.0

Change = Callable[[Tx], None]
"""A report to write: a function of the store with its arguments bound."""

log = structlog.get_logger(__name__)


class Rows:
    """Calls `seen`, on a thread, with each routing table that it reads; `write` queues reports without waiting."""

    def __init__(self, database: Database, listen_url: str, seen: Callable[[Routes], None]) -> None:
        self._database = database
        self._listen_url = listen_url
        self._seen = seen
        self._changes: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._wake_reader, self._wake = socket.socketpair()
        self._threads: dict[str, threading.Thread] = {}

    def keep_running(self) -> None:
        """Starts each thread that is not running: at the beginning, and after an unexpected error, which is logged with
        its traceback.
        """
        for name, work in (("read", self._follow), ("write", self._write_changes)):
            thread = self._threads.get(name)
            if thread is None or not thread.is_alive():
                self._threads[name] = threading.Thread(target=work, name=f"router-{name}", daemon=True)
                self._threads[name].start()

    def write(self, change: Change) -> None:
        """Queues a report, which is written soon; drops it if the database is unreachable."""
        self._changes.put(change)

    def stop(self) -> None:
        """Ends both threads when the pending reports are written, or after a moment."""
        self._stopped.set()
        self._wake.send(b".")
        self._changes.put(None)
        for thread in self._threads.values():
            thread.join(RETRY_SECONDS)

    def _follow(self) -> None:
        away = False
        while not self._stopped.is_set():
            try:
                self._follow_until_down(log_back=away)
            except DatabaseDown as error:
                if not away:
                    log.warning("the routes stay as they are: " + error.sentence)
                away = True
                self._stopped.wait(RETRY_SECONDS)

    def _follow_until_down(self, *, log_back: bool) -> None:
        listener = self._database.listen(ROUTES, url=self._listen_url)
        try:
            while not self._stopped.is_set():
                with self._database.transaction() as tx:
                    read = live_routes(tx)
                if log_back:
                    log.info("the database is back, and the routes are current")
                    log_back = False
                self._seen(read)
                listener.wait(POLL_SECONDS, self._wake_reader.fileno())
        finally:
            listener.close()

    def _write_changes(self) -> None:
        away = False
        while (change := self._changes.get()) is not None:
            try:
                with self._database.transaction() as tx:
                    change(tx)
                away = False
            except DatabaseDown:
                if not away:
                    log.warning("the database does not accept the router's reports; they are sent again later")
                away = True
