"""A stop signal that a test sets, and the watch that carries it to the code."""

from __future__ import annotations

import threading

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Watch


class FakeStop:
    """A fake of `ports.Stop`, which `set(reason)` sets from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """The reason why the work should end; None while it may continue."""
        return self._reason

    def set(self, reason: str) -> None:
        """Requests the end of the work."""
        self._reason = reason
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleeps for at most that many seconds; returns True if the stop is set."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raises Stopped if the stop is set."""
        if self._reason is not None:
            raise Stopped(f"the work was {self._reason}", reason=self._reason)

    def spare(self, seconds: float) -> None:
        """Does nothing: only the test sets this stop."""


class FakeWatch:
    """Makes watches, and keeps their output in `said`."""

    def __init__(self, *, job: int = 1, token: int = 1) -> None:
        self.stop = FakeStop()
        self.said: list[str] = []
        self.watch = Watch(Fence(job, token), self.said.append, self.stop)
