"""Messages through Redis, apart from wake-ups: announcements that an execution has ended, live log lines, and pipes. If
a message is lost, something happens later or a stream breaks; no work is lost.

Every Redis client here has timeouts. While the broker is unreachable, the methods do not raise: they return False, None
or an empty list, and `watched` returns True.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

_ENDED = "norn:ended"
_LATELY_SECONDS = 1.0
_RETURN_SECONDS = 6.0
"""After the broker has lost its data, readers announce themselves again within this many seconds; they do so
every 4 s.
"""
_READ = 100
"""The most entries of one read."""
_STREAM_LENGTH = 5000
"""The most entries of a stream of log lines."""
_WATCH_SECONDS = 15
_STREAM_SECONDS = 60
"""Seconds for which a stream is kept after its last line was sent, and after its reader last announced itself."""
_PIPE_SECONDS = 60
_SAY_AGAIN = 60.0
"""Seconds after which it is logged again that the broker is still unreachable."""

log = logging.getLogger(__name__)


def _client(url: str, timeout: float) -> redis.Redis:
    address = url.replace("redis+socket://", "unix://", 1)
    return redis.Redis.from_url(
        address, socket_timeout=timeout, socket_connect_timeout=0.3, health_check_interval=15, decode_responses=True
    )


@dataclass(frozen=True)
class LiveLine:
    """A line of a live stream."""

    id: str
    """The position of its entry in the stream."""
    source: str
    """The name of the replica that wrote it."""
    line: str
    """The text."""
    last: bool = False
    """True for the mark at the end of the stream, which has no text."""
    number: int = 0
    """Its number in the stream, from 1; 0 if it has none."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Further facts about the line, such as its time."""


SentLine = tuple[str, str, Mapping[str, Any]]
"""A line to send: the source, the text, and further facts about the line."""


def _lines(place: str, entry: Mapping[str, str]) -> list[LiveLine]:
    first = int(entry["first"])
    lines = [
        LiveLine(place, source, text, number=first + n, about=about)
        for n, (source, text, about) in enumerate(json.loads(entry["lines"]))
    ]
    return [*lines, LiveLine(place, "", "", last=True)] if entry["last"] or not lines else lines


class Live:
    """The announcements, live streams and pipes of one broker."""

    def __init__(self, broker_url: str) -> None:
        self._redis = _client(broker_url, 0.5)
        self._reader = _client(broker_url, 5.0)
        self._responded = float("-inf")
        self._away = float("-inf")

    def answers(self) -> bool:
        """Returns True if the broker answers within 300 ms, or has answered a ping within the last second."""
        if not self._responded_lately():
            try:
                self._redis.ping()
                self._responded = time.monotonic()
            except redis.RedisError:
                return self._responded_lately()
        return True

    def _responded_lately(self) -> bool:
        return time.monotonic() - self._responded < _LATELY_SECONDS

    def announce_end(self, execution: int) -> None:
        """Announces that an execution has ended; waiters also poll its row."""
        try:
            self._redis.publish(_ENDED, str(execution))
        except redis.RedisError:
            return

    def watch(self, job: int) -> None:
        """Announces for the next 15 s that the job's stream has a reader, and extends the life of the stream."""
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.set(f"norn:watch:{job}", "1", ex=_WATCH_SECONDS)
            pipe.expire(f"norn:live:{job}", _STREAM_SECONDS)
            pipe.execute()
        except redis.RedisError:
            return

    def emit(self, job: int, lines: Sequence[SentLine], *, first: int = 1, last: bool = False) -> bool:
        """Adds lines to the job's stream as one entry; returns False if there is no reader, or if the broker is
        unreachable.

        `first` is the number of the first of these lines; from the numbers, a reader sees which lines it has missed.
        """
        stream = f"norn:live:{job}"
        entry: dict[Any, Any] = {"lines": json.dumps(lines), "first": first, "last": "1" if last else ""}
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.xadd(stream, entry, maxlen=_STREAM_LENGTH, approximate=True)
            pipe.expire(stream, _STREAM_SECONDS)
            pipe.exists(f"norn:watch:{job}")
            return bool(pipe.execute()[-1])
        except redis.RedisError:
            return False

    def watched(self, job: int) -> bool:
        """Returns True while the job's stream has a reader.

        Also returns True while the broker is unreachable, and for some seconds afterwards, until readers have announced
        themselves again.
        """
        try:
            there = bool(self._redis.exists(f"norn:watch:{job}"))
        except redis.RedisError:
            self._away, there = time.monotonic(), False
        return there or time.monotonic() - self._away < _RETURN_SECONDS

    def read(self, job: int, after: str, seconds: float) -> list[LiveLine]:
        """Returns the lines after a cursor (`0` is the beginning); waits at most `seconds` (up to 4) if there are none
        yet.
        """
        self.watch(job)
        try:
            block = max(1, int(min(seconds, 4) * 1000))
            found: Any = self._reader.xread({f"norn:live:{job}": after}, count=_READ, block=block)
        except redis.RedisError:
            time.sleep(min(seconds, 0.5))
            return []
        entries = found[0][1] if found else []
        return [line for place, entry in entries for line in _lines(place, entry)]

    def last(self, job: int) -> LiveLine | None:
        """Returns the last line of the job's stream, which an earlier worker sent; None if it has no lines."""
        try:
            entries: Any = self._redis.xrevrange(f"norn:live:{job}", count=1)
        except redis.RedisError:
            return None
        return _lines(*entries[0])[-1] if entries else None

    # Pipes: items that must arrive, in order, while both ends exist

    def unwatch(self, job: int) -> None:
        """Announces that the job's stream no longer has a reader."""
        try:
            self._redis.delete(f"norn:watch:{job}")
        except redis.RedisError:
            return

    def offer(self, pipe: str, item: str, *, most: int) -> bool:
        """Puts an item into a pipe that has one writer; returns False if the pipe is full or the broker is unreachable.

        A pipe is full when it holds `most` items.
        """
        name = f"norn:pipe:{pipe}"
        try:
            if int(self._redis.llen(name)) >= most:
                return False
            writing = self._redis.pipeline(transaction=False)
            writing.rpush(name, item)
            writing.expire(name, _PIPE_SECONDS)
            writing.execute()
        except redis.RedisError:
            return False
        return True

    def take(self, pipe: str, seconds: float) -> str | None:
        """Takes the next item out of a pipe; waits at most `seconds` (up to 4) for it to arrive."""
        try:
            found: Any = self._reader.blpop([f"norn:pipe:{pipe}"], timeout=min(seconds, 4))
        except redis.RedisError:
            time.sleep(min(seconds, 0.5))
            return None
        return None if found is None else str(found[1])


REMEMBERED = 4096
"""How many of the latest ends a process remembers."""


class Ends:
    """One thread of a process that subscribes to announcements, and wakes requests that wait for executions to end.

    The latest ends are remembered, because a quick execution may end before its request has registered as a waiter.
    After a gap in the subscription every waiter is woken, because announcements may have been missed.
    """

    def __init__(self, broker_url: str) -> None:
        self._redis = _client(broker_url, 2.0)
        self._waiting: dict[int, threading.Event] = {}
        self._ended: dict[int, None] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._hears = threading.Event()
        threading.Thread(target=self._listen, name="norn-ends", daemon=True).start()

    def expect(self, execution: int) -> threading.Event:
        """Registers a waiter; the returned event is set when the end of the execution is announced, or immediately if
        it already was.
        """
        with self._lock:
            event = self._waiting.setdefault(execution, threading.Event())
            if execution in self._ended:
                event.set()
            return event

    def announced(self, execution: int) -> bool:
        """Returns True if the end of the execution was announced recently."""
        with self._lock:
            return execution in self._ended

    def forget(self, execution: int) -> None:
        """Removes the waiter of an execution."""
        with self._lock:
            self._waiting.pop(execution, None)

    @property
    def hears(self) -> bool:
        """True while the subscription to the broker's announcements works."""
        return self._hears.is_set()

    def close(self) -> None:
        """Stops the thread within two seconds."""
        self._closed.set()

    def _listen(self) -> None:
        said = float("-inf")
        while not self._closed.is_set():
            try:
                self._hear()
            except Exception as error:
                # Without this thread, calls are answered up to a second late; the next connection may succeed.
                if time.monotonic() - said >= _SAY_AGAIN and not self._closed.is_set():
                    said = time.monotonic()
                    expected = isinstance(error, redis.RedisError)
                    log.warning("announcements of ended calls do not arrive: %s", error, exc_info=not expected)
                self._closed.wait(0.5)

    def _hear(self) -> None:
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        pubsub.subscribe(_ENDED)
        try:
            while not self._closed.is_set():
                message = pubsub.get_message(timeout=1.0)
                if not self._hears.is_set():  # the first answer confirms the subscription
                    self._hears.set()
                    self._wake_all()
                if message and str(message["data"]).isdigit():
                    self.hear(int(message["data"]))
        finally:
            self._hears.clear()
            pubsub.close()

    def _wake_all(self) -> None:
        with self._lock:
            waiting = list(self._waiting.values())
        for event in waiting:
            event.set()

    def hear(self, execution: int) -> None:
        """Remembers the end of an execution, and wakes its waiter."""
        with self._lock:
            self._ended[execution] = None
            while len(self._ended) > REMEMBERED:
                del self._ended[next(iter(self._ended))]
            event = self._waiting.get(execution)
        if event is not None:
            event.set()
