"""The router's line to the database: looks at the rows when told or after two seconds, and writes what it must say.

Two threads of its own, so that a database that hangs never holds up a request. What could not be said is not kept: the
next look shows that it is still missing, and it is said again.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable

import structlog

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.routes import Routes, live_routes
from norn_tasks.store.session import ROUTES, Database, Tx

LOOK_SECONDS = 2.0
AGAIN_SECONDS = 1.0

Word = Callable[[Tx], None]
"""Something to write: a function of the store with its arguments bound."""

log = structlog.get_logger(__name__)


class Rows:
    """Calls `seen` from a thread with each look; `say` takes what is to be written, without waiting."""

    def __init__(self, database: Database, listen_url: str, seen: Callable[[Routes], None]) -> None:
        self._database = database
        self._listen_url = listen_url
        self._seen = seen
        self._words: queue.SimpleQueue[Word | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._bell, self._ring = socket.socketpair()
        self._threads: dict[str, threading.Thread] = {}

    def keep_going(self) -> None:
        """Starts what does not run: at first, and after an error that nobody foresaw (its traceback is in the log)."""
        for name, work in (("look", self._follow), ("say", self._write)):
            thread = self._threads.get(name)
            if thread is None or not thread.is_alive():
                self._threads[name] = threading.Thread(target=work, name=f"router-{name}", daemon=True)
                self._threads[name].start()

    def say(self, word: Word) -> None:
        """Writes soon, or never when the database is away."""
        self._words.put(word)

    def stop(self) -> None:
        """Ends both threads once what was said is written, or after a moment."""
        self._stopped.set()
        self._ring.send(b".")
        self._words.put(None)
        for thread in self._threads.values():
            thread.join(AGAIN_SECONDS)

    def _follow(self) -> None:
        away = False
        while not self._stopped.is_set():
            try:
                self._follow_until_down(log_back=away)
            except DatabaseDown as error:
                if not away:
                    log.warning("the routes stay as they are: " + error.sentence)
                away = True
                self._stopped.wait(AGAIN_SECONDS)

    def _follow_until_down(self, *, log_back: bool) -> None:
        listener = self._database.listen(ROUTES, url=self._listen_url)
        try:
            while not self._stopped.is_set():
                with self._database.transaction() as tx:
                    look = live_routes(tx)
                if log_back:
                    log.info("the database is back")
                    log_back = False
                self._seen(look)
                listener.wait(LOOK_SECONDS, self._bell.fileno())
        finally:
            listener.close()

    def _write(self) -> None:
        while (word := self._words.get()) is not None:
            try:
                with self._database.transaction() as tx:
                    word(tx)
            except DatabaseDown:
                log.warning("the database did not take what the router said; it is said again with the next look")
