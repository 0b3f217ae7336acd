"""Consumes a broker's queue in the place of a worker, and records when each message arrived."""

from __future__ import annotations

import base64
import json
import threading
import time

from tests.servers import Broker

QUEUE = "ticks"


class Consumer:
    """Reads the queue in a thread of its own. Messages are parsed later, so that parsing does not delay the recorded
    times.
    """

    def __init__(self, broker: Broker) -> None:
        self._redis = broker.client()
        self._raw: list[tuple[float, bytes]] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._closed.is_set():
            first = self._redis.brpop([QUEUE], timeout=1)
            if not first:
                continue
            more = self._redis.rpop(QUEUE, 500) or []
            now = time.time()
            self._raw += [(now, first[1]), *((now, each) for each in more)]

    def seen(self) -> list[tuple[float, str]]:
        """Returns the time of arrival and the schedule of each message until now."""
        return [(at, _schedule(raw)) for at, raw in self._raw[:]]

    def first(self, schedule: str, after: float) -> float | None:
        """Returns when the first message of a schedule arrived after a given time."""
        return next((at for at, raw in self._raw[:] if at > after and _schedule(raw) == schedule), None)

    def close(self) -> None:
        """Stops reading."""
        self._closed.set()
        self._thread.join(5)


def _schedule(raw: bytes) -> str:
    args, _, _ = json.loads(base64.b64decode(json.loads(raw)["body"]))
    return str(args[0])
