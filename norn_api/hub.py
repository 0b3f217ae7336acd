"""One reader of events per process: it reads each event once and hands it to every follower that wants it.

It hears NOTIFY and looks once a second besides, so that a lost notification costs a second and nothing else. A follower
that does not take what it is handed is dropped: it can come again with the id of the last event it saw.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store import events
from norn_tasks.store.events import Place, Told
from norn_tasks.store.facts import notify
from norn_tasks.store.session import EVENTS, Database

_LOOK_SECONDS = 1.0
_BEHIND_SECONDS = 0.05
_AGAIN_SECONDS = 0.5
_SELF_TEST_SECONDS = 3.0
_BATCH = 500
_BACKLOG = 1000
_log = structlog.get_logger("norn.api")

Wants = Callable[[Told], bool]


class Dropped(Exception):
    """This follower was too slow."""


class Follower:
    """One who is handed events. `nudge`: a job whose output also wakes it, without an event."""

    def __init__(self, wants: Wants, nudge: int | None, drop: Callable[[], None]) -> None:
        self._wants = wants
        self._nudge = None if nudge is None else str(nudge)
        self._drop = drop
        self._queue: queue.Queue[Told | None] = queue.Queue(_BACKLOG)
        self._dropped = False

    def wait(self, seconds: float) -> list[Told]:
        """Answers the events since the last call, waiting at most so long for the first; raises Dropped."""
        found = [*self._taken(seconds)]
        if self._dropped:
            raise Dropped
        return found

    def _taken(self, seconds: float) -> Iterator[Told]:
        try:
            first = self._queue.get(timeout=seconds)
            while True:
                if first is not None:
                    yield first
                first = self._queue.get_nowait()
        except queue.Empty:
            return

    def offer(self, event: Told) -> bool:
        """Hands an event over; False when the follower does not keep up, which drops it."""
        if not self._wants(event):
            return True
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._dropped = True
            self._drop()
            return False
        return True

    def nudge(self, heard: frozenset[str]) -> None:
        """Wakes the follower when its job was heard of."""
        if self._nudge in heard and self._queue.empty():
            self._queue.put_nowait(None)


class _SelfTest:
    """Finds out whether notifications arrive, and says so in the log when they do not."""

    def __init__(self, database: Database) -> None:
        self._word: str | None = f"self-test {secrets.token_hex(8)}"
        self._until = time.monotonic() + _SELF_TEST_SECONDS
        with database.transaction() as tx:
            notify(tx, EVENTS, self._word)

    def see(self, heard: frozenset[str]) -> None:
        """Looks at what was heard."""
        if self._word in heard:
            self._word = None
        elif self._word is not None and time.monotonic() > self._until:
            _log.warning("NOTIFY is not heard: events are read once a second; check NORN_DATABASE_LISTEN_URL")
            self._word = None


class Hub:
    """The reader's thread, which lives while there are followers."""

    def __init__(self, database: Database, listen_url: str, closing: threading.Event) -> None:
        self._database = database
        self._listen_url = listen_url
        self._closing = closing
        self._lock = threading.Lock()
        self._followers: set[Follower] = set()
        self._running = False
        self._place = Place()

    @contextmanager
    def follow(self, wants: Wants, *, nudge: int | None = None, drop: Callable[[], None]) -> Iterator[Follower]:
        """Gives a follower that is handed every wanted event from now on; `drop` ends its connection.

        Raises DatabaseDown.
        """
        follower = Follower(wants, nudge, drop)
        with self._lock:
            if not self._running:
                with self._database.transaction() as tx:
                    self._place = events.end(tx)
                self._running = True
                threading.Thread(target=self._run, name="norn-events", daemon=True).start()
            self._followers.add(follower)
        try:
            yield follower
        finally:
            with self._lock:
                self._followers.discard(follower)

    def _run(self) -> None:
        while self._needed():
            try:
                self._serve()
            except DatabaseDown as error:
                _log.warning("the event reader lost the database", says=error.sentence)
                self._closing.wait(_AGAIN_SECONDS)

    def _needed(self) -> bool:
        with self._lock:
            self._running = bool(self._followers) and not self._closing.is_set()
            return self._running

    def _serve(self) -> None:
        listener = self._database.listen(EVENTS, url=self._listen_url)
        test = _SelfTest(self._database)
        try:
            while self._needed():
                heard = frozenset(listener.wait(self._look()))
                test.see(heard)
                for follower in self._all():
                    follower.nudge(heard)
        finally:
            listener.close()

    def _look(self) -> float:
        """Reads and hands over what is new, and answers when to look again."""
        while True:
            with self._database.transaction() as tx:
                found = events.after(tx, self._place, limit=_BATCH)
                behind = events.behind(tx)
            for event in found:
                self._hand_over(event)
            if len(found) < _BATCH:
                return _BEHIND_SECONDS if behind else _LOOK_SECONDS

    def _hand_over(self, event: Told) -> None:
        slow = {follower for follower in self._all() if not follower.offer(event)}
        with self._lock:
            self._followers -= slow
        self._place = event.place

    def _all(self) -> tuple[Follower, ...]:
        with self._lock:
            return tuple(self._followers)
