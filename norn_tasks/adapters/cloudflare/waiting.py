"""Waits between two requests to Cloudflare, in short parts. Before each part, it checks whether the job was stopped,
and renews the job's turn (the lock with which one job at a time may change a tunnel's rules).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from norn_tasks.ports import Stop

_PART = 2.0


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Waiting:
    """Waits on behalf of a job. `keep` renews the job's turn, and is called before each request and in each part of a
    pause.
    """

    stop: Stop
    keep: Callable[[], None] = _nothing

    def check(self) -> None:
        """Renews the turn, and raises the errors of `keep`; raises Stopped if the job was stopped."""
        self.stop.check()
        self.keep()

    def pause(self, seconds: float) -> None:
        """Waits for `seconds`; raises the errors of `check`."""
        while seconds > 0:
            self.check()
            self.stop.wait(min(_PART, seconds))
            seconds -= _PART
        self.check()
