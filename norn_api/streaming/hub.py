"""One reader of events per process, which reads each event once and passes it to every subscriber that wants it.

The reader listens for NOTIFY and also polls once per second, so a lost notification delays an event by at most a
second. A subscriber that is too slow is dropped; its client can connect again with the id of the last event that it
received.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.database.session import EVENTS, Database
from norn_tasks.store.events import stream
from norn_tasks.store.events.publishing import notify
from norn_tasks.store.events.stream import Cursor, StoredEvent

_LOOK_SECONDS = 1.0
_BEHIND_SECONDS = 0.05
_AGAIN_SECONDS = 0.5
_SELF_TEST_SECONDS = 3.0
_BATCH = 500
_BACKLOG = 1000
_log = structlog.get_logger("norn.api")

Wants = Callable[[StoredEvent], bool]


class Dropped(Exception):
    """Raised for a subscriber that did not take its events quickly enough, so that the hub no longer sends it
    events.
    """


class Subscriber:
    """Receives events. `job`: new output of this job wakes the subscriber too, although output is not an event."""

    def __init__(self, wants: Wants, job: int | None, drop: Callable[[], None], reader: Callable[[], None]) -> None:
        self._wants = wants
        self._require_reader = reader
        self._job = None if job is None else str(job)
        self._drop = drop
        self._queue: queue.Queue[StoredEvent | None] = queue.Queue(_BACKLOG)
        self._dropped = False

    def wait(self, seconds: float) -> list[StoredEvent]:
        """Returns the events since the last call after waiting at most `seconds` for the first; raises Dropped."""
        self._require_reader()
        found = [*self._taken(seconds)]
        if self._dropped:
            raise Dropped
        return found

    def _taken(self, seconds: float) -> Iterator[StoredEvent]:
        try:
            first = self._queue.get(timeout=seconds)
            while True:
                if first is not None:
                    yield first
                first = self._queue.get_nowait()
        except queue.Empty:
            return

    def offer(self, event: StoredEvent) -> bool:
        """Queues an event if it is wanted; if the queue is full, drops the subscriber and returns False."""
        if not self._wants(event):
            return True
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._dropped = True
            self._drop()
            return False
        return True

    def poke(self) -> None:
        """Wakes the subscriber without an event."""
        if self._queue.empty():
            with suppress(queue.Full):
                self._queue.put_nowait(None)

    def wake(self, heard: frozenset[str]) -> None:
        """Wakes the subscriber if the notification names its job."""
        if self._job in heard and self._queue.empty():
            self._queue.put_nowait(None)


class _SelfTest:
    """Checks that notifications arrive, and logs a warning if they do not."""

    def __init__(self, database: Database) -> None:
        self._word: str | None = f"self-test {secrets.token_hex(8)}"
        self._until = time.monotonic() + _SELF_TEST_SECONDS
        with database.transaction() as tx:
            notify(tx, EVENTS, self._word)

    def see(self, heard: frozenset[str]) -> None:
        """Checks the notifications that arrived."""
        if self._word in heard:
            self._word = None
        elif self._word is not None and time.monotonic() > self._until:
            _log.warning("NOTIFY does not arrive: events are read once a second; check NORN_DATABASE_LISTEN_URL")
            self._word = None


class EventHub:
    """The thread that reads events; it runs while there are subscribers."""

    def __init__(self, database: Database, listen_url: str, closing: threading.Event) -> None:
        self._database = database
        self._listen_url = listen_url
        self._closing = closing
        self._lock = threading.Lock()
        self._followers: set[Subscriber] = set()
        self._running = False
        self._thread = threading.Thread()
        self._place = Cursor()

    @contextmanager
    def follow(self, wants: Wants, *, job: int | None = None, drop: Callable[[], None]) -> Iterator[Subscriber]:
        """Yields a subscriber that receives every wanted event from now on; `drop` closes its client's connection.

        Raises DatabaseDown.
        """
        follower = Subscriber(wants, job, drop, self._require_reader)
        with self._lock:
            if not self._running:
                with self._database.transaction() as tx:
                    self._place = stream.end(tx)
                self._start()
            self._followers.add(follower)
        try:
            yield follower
        finally:
            with self._lock:
                self._followers.discard(follower)

    def _start(self) -> None:
        self._running = True
        self._thread = threading.Thread(target=self._run, name="norn-events", daemon=True)
        self._thread.start()

    def _require_reader(self) -> None:
        """Starts a new reader, which continues after the last event, if the old one has died. Each wait calls this."""
        with self._lock:
            if self._running and not self._thread.is_alive():
                _log.error("the event reader died, and another one goes on")
                self._start()

    def _run(self) -> None:
        while self._needed():
            try:
                self._serve()
            except DatabaseDown as error:
                _log.warning("the event reader lost the database", says=error.sentence)
                self._closing.wait(_AGAIN_SECONDS)
            except Exception:  # noqa: BLE001 - whatever it is
                # Without this thread, every stream of the process would stay silent.
                _log.exception("the event reader failed, and begins again")
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
                    follower.wake(heard)
        finally:
            listener.close()

    def _look(self) -> float:
        """Passes new events on to the subscribers, and returns the seconds until the next poll."""
        while True:
            with self._database.transaction() as tx:
                found = stream.after(tx, self._place, limit=_BATCH)
                behind = stream.behind(tx)
            for event in found:
                self._hand_over(event)
            if len(found) < _BATCH:
                return _BEHIND_SECONDS if behind else _LOOK_SECONDS

    def _hand_over(self, event: StoredEvent) -> None:
        slow = {follower for follower in self._all() if not follower.offer(event)}
        with self._lock:
            self._followers -= slow
        self._place = event.place

    def _all(self) -> tuple[Subscriber, ...]:
        with self._lock:
            return tuple(self._followers)
