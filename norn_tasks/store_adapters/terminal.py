"""The terminal of `norn exec`: two pipes through the broker, one for each direction."""

from __future__ import annotations

import base64
import json
from typing import Any

from norn_tasks.ports import Typed, Watch
from norn_tasks.store.broker.live import Live
from norn_tasks.store_adapters.reader import ReaderStop

MAX_CHUNKS = 64
"""The number of chunks that a pipe holds before its writer waits."""
RETRY_SECONDS = 0.02
"""The seconds before a full pipe is tried again."""


class BrokerTerminal:
    """Implements `ports.Terminal` for the client that requested a job."""

    def __init__(self, live: Live, job: int, watch: Watch) -> None:
        self._live, self._job, self._last = live, job, 0
        self.stop = ReaderStop(live, job, watch)

    def typed(self, seconds: float) -> Typed | None:
        """Waits at most `seconds` for the next chunk; returns None if none arrives, or if it has arrived before."""
        item = self._live.take(f"{self._job}:in", seconds)
        if item is None:
            return None
        message = json.loads(item)
        if message["seq"] <= self._last:
            return None
        self._last = message["seq"]
        size = message["size"]
        return Typed(base64.b64decode(message["data"]), message["eof"], (size[0], size[1]) if size else None)

    def wrote(self, stream: str, data: bytes) -> None:
        """Sends a chunk, and waits while the pipe is full; raises Stopped if the client disconnects while it waits."""
        self._put({stream: base64.b64encode(data).decode("ascii")})

    def ended(self, exit_code: int) -> None:
        """Sends the program's exit code."""
        self._put({"exit": exit_code})

    def _put(self, message: dict[str, Any]) -> None:
        item = json.dumps(message)
        while not self._live.offer(f"{self._job}:out", item, most=MAX_CHUNKS):
            self.stop.check()
            self.stop.wait(RETRY_SECONDS)
