"""What Redis carries besides wake-ups: "execution 42 has ended", and live log lines. Nothing whose loss matters.

This is the only module that imports `redis`. Every client has its timeouts set; a broker that is away is told by
`False` or by silence, never by an exception, because rows stand behind everything that is said here.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import redis

_ENDED = "norn:ended"
_STREAM_LENGTH = 5000
_WATCH_SECONDS = 15
_PIPE_SECONDS = 60


def _client(url: str, timeout: float) -> redis.Redis:
    address = url.replace("redis+socket://", "unix://", 1)
    return redis.Redis.from_url(
        address, socket_timeout=timeout, socket_connect_timeout=0.3, health_check_interval=15, decode_responses=True
    )


@dataclass(frozen=True)
class LiveLine:
    """A line of a live stream: its place, where it comes from (a replica), and the text. `last`: the stream ended."""

    id: str
    source: str
    line: str
    last: bool = False


class Live:
    """The live side of one broker."""

    def __init__(self, broker_url: str) -> None:
        self._redis = _client(broker_url, 0.5)
        self._reader = _client(broker_url, 5.0)

    def answers(self) -> bool:
        """True when the broker answers within 300 ms."""
        try:
            return bool(self._redis.ping())
        except redis.RedisError:
            return False

    def announce_end(self, execution: int) -> None:
        """Says that an execution has ended; whoever waits also looks at its row."""
        try:
            self._redis.publish(_ENDED, str(execution))
        except redis.RedisError:
            return

    def watch(self, job: int) -> None:
        """Says that somebody reads the job's stream, for the next 15 s."""
        try:
            self._redis.set(f"norn:watch:{job}", "1", ex=_WATCH_SECONDS)
        except redis.RedisError:
            return

    def emit(self, job: int, source: str, line: str, *, last: bool = False) -> bool:
        """Adds a line to the job's stream; False when nobody reads it any more, or the broker is away."""
        stream = f"norn:live:{job}"
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.xadd(
                stream, {"source": source, "line": line, "last": "1" if last else ""}, maxlen=_STREAM_LENGTH,
                approximate=True,
            )  # fmt: skip
            pipe.expire(stream, 60)
            pipe.exists(f"norn:watch:{job}")
            return bool(pipe.execute()[-1])
        except redis.RedisError:
            return False

    def watched(self, job: int) -> bool:
        """True while somebody reads the job's stream."""
        try:
            return bool(self._redis.exists(f"norn:watch:{job}"))
        except redis.RedisError:
            return False

    def read(self, job: int, after: str, seconds: float) -> list[LiveLine]:
        """Answers the lines after a place (`0` is the beginning), waiting at most so many seconds (up to 4)."""
        self.watch(job)
        try:
            block = max(1, int(min(seconds, 4) * 1000))
            found: Any = self._reader.xread({f"norn:live:{job}": after}, count=500, block=block)
        except redis.RedisError:
            time.sleep(min(seconds, 0.5))
            return []
        lines = found[0][1] if found else []
        return [LiveLine(place, row["source"], row["line"], bool(row["last"])) for place, row in lines]

    # Pipes: what must arrive, one after the other, while both ends are there

    def unwatch(self, job: int) -> None:
        """Says that nobody reads the job's stream any more."""
        try:
            self._redis.delete(f"norn:watch:{job}")
        except redis.RedisError:
            return

    def offer(self, pipe: str, item: str, *, most: int) -> bool:
        """Puts an item into a pipe with one writer; False while it holds `most` already, or the broker is away."""
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
        """Takes the next item out of a pipe, waiting at most so many seconds (up to 4)."""
        try:
            found: Any = self._reader.blpop([f"norn:pipe:{pipe}"], timeout=min(seconds, 4))
        except redis.RedisError:
            time.sleep(min(seconds, 0.5))
            return None
        return None if found is None else str(found[1])


class Ends:
    """One subscriber thread of a process, which wakes those who wait for executions to end."""

    def __init__(self, broker_url: str) -> None:
        self._redis = _client(broker_url, 2.0)
        self._waiting: dict[int, threading.Event] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._listen, name="norn-ends", daemon=True).start()

    def expect(self, execution: int) -> threading.Event:
        """Registers a waiter before the job is announced, so that no end is missed; the event is set at the end."""
        with self._lock:
            return self._waiting.setdefault(execution, threading.Event())

    def forget(self, execution: int) -> None:
        """Ends the wait."""
        with self._lock:
            self._waiting.pop(execution, None)

    def close(self) -> None:
        """Stops the thread within two seconds."""
        self._closed.set()

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                self._hear()
            except redis.RedisError:
                self._closed.wait(0.5)

    def _hear(self) -> None:
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        pubsub.subscribe(_ENDED)
        try:
            while not self._closed.is_set():
                message = pubsub.get_message(timeout=1.0)
                if message and str(message["data"]).isdigit():
                    self._wake(int(message["data"]))
        finally:
            pubsub.close()

    def _wake(self, execution: int) -> None:
        with self._lock:
            event = self._waiting.get(execution)
        if event is not None:
            event.set()
