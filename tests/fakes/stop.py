"""A stop that a test sets by hand, and the watch that carries it."""

from __future__ import annotations

import threading

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Watch


class FakeStop:
    """Keeps `ports.Stop`: set by `set(reason)`, from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why the work should end; None while it may go on."""
        return self._reason

    def set(self, reason: str) -> None:
        """Asks the work to end."""
        self._reason = reason
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleeps at most so long; True when the stop is set."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raises Stopped when the stop is set."""
        if self._reason is not None:
            raise Stopped(f"the work was {self._reason}", reason=self._reason)

    def spare(self, seconds: float) -> None:
        """Changes nothing: this stop is set by the test alone."""


class FakeWatch:
    """Makes watches, and keeps what was said to them in `said`."""

    def __init__(self, *, job: int = 1, token: int = 1) -> None:
        self.stop = FakeStop()
        self.said: list[str] = []
        self.watch = Watch(Fence(job, token), self.said.append, self.stop)
