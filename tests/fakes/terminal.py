"""Somebody who is there, in memory: what they type is arranged, what they read is kept."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from norn_tasks.ports import Typed
from tests.fakes.stop import FakeStop


class FakeTerminal:
    """Keeps `ports.Terminal`. Look at `read` (by stream) and `exit_code`; `stop.set("cancelled")` makes them leave."""

    def __init__(self, types: Iterable[Typed] = (Typed(eof=True),)) -> None:
        self.stop = FakeStop()
        self.read = {"stdout": b"", "stderr": b""}
        self.exit_code: int | None = None
        self._types = deque(types)

    def typed(self, seconds: float) -> Typed | None:
        """Returns what comes next, at once; afterwards there is nothing."""
        if self._types:
            return self._types.popleft()
        time.sleep(min(seconds, 0.05))
        return None

    def wrote(self, stream: str, data: bytes) -> None:
        """Reads it."""
        self.stop.check()
        self.read[stream] += data

    def ended(self, exit_code: int) -> None:
        """Learns how it ended."""
        self.exit_code = exit_code
