"""Waits between two requests, in short parts: before each part, the caller's turn is renewed and a stop is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from norn_tasks.ports import Stop

_PART = 2.0


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Waiting:
    """Waits for a job; `keep` renews the job's turn, and is called before each request and in each part of a pause."""

    stop: Stop
    keep: Callable[[], None] = _nothing

    def check(self) -> None:
        """Calls `keep`, and raises its errors; raises Stopped when the stop is set."""
        self.stop.check()
        self.keep()

    def pause(self, seconds: float) -> None:
        """Waits for this time; raises the errors of `check`."""
        while seconds > 0:
            self.check()
            self.stop.wait(min(_PART, seconds))
            seconds -= _PART
        self.check()
