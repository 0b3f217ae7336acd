"""A user at a terminal, in memory: the test sets the input, and the output is kept."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from norn_tasks.ports import Typed
from tests.fakes.stop import FakeStop


class FakeTerminal:
    """A fake of `ports.Terminal`. Tests read `read` (by stream) and `exit_code`; `stop.set("cancelled")` makes the user
    leave.
    """

    def __init__(self, types: Iterable[Typed] = (Typed(eof=True),)) -> None:
        self.stop = FakeStop()
        self.read = {"stdout": b"", "stderr": b""}
        self.exit_code: int | None = None
        self._types = deque(types)

    def typed(self, seconds: float) -> Typed | None:
        """Returns the next input immediately; None after the last one."""
        if self._types:
            return self._types.popleft()
        time.sleep(min(seconds, 0.05))
        return None

    def wrote(self, stream: str, data: bytes) -> None:
        """Records output of the program."""
        self.stop.check()
        self.read[stream] += data

    def ended(self, exit_code: int) -> None:
        """Records the exit code of the program."""
        self.exit_code = exit_code
