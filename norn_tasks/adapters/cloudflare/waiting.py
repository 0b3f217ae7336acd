"""Waiting between two requests: in short parts, each of which keeps what the caller holds and notices a stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from norn_tasks.ports import Stop

_PART = 2.0


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Waiting:
    """The way in which a job waits; `keep` is called before each request and in each part of a pause."""

    stop: Stop
    keep: Callable[[], None] = _nothing

    def check(self) -> None:
        """Raises Stopped when the stop is set, and what `keep` raises."""
        self.stop.check()
        self.keep()

    def pause(self, seconds: float) -> None:
        """Waits."""
        while seconds > 0:
            self.check()
            self.stop.wait(min(_PART, seconds))
            seconds -= _PART
        self.check()
