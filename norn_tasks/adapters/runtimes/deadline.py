"""When a run's container is to be ended: at its time-out gently, after the grace, or at once, by force."""

from __future__ import annotations

import time


class Deadline:
    """Says which signal is due. `seconds` until SIGTERM (none or less: now), then `grace` until SIGKILL."""

    def __init__(self, seconds: float, grace: float) -> None:
        self._term_at = time.monotonic() + seconds
        self._grace = grace
        self._kill_at: float | None = None
        self._done = False
        self.passed = False

    def due(self) -> str | None:
        """Answers the signal that should have been sent by now and was not."""
        now = time.monotonic()
        if self._done:
            return None
        if self._kill_at is not None:
            return "SIGKILL" if now >= self._kill_at else None
        return "SIGTERM" if now >= self._term_at else None

    def sent(self, signal: str) -> None:
        """Notes that the signal reached the container."""
        if signal == "SIGKILL":
            self._done = True
        else:
            self.passed = True
            self._kill_at = time.monotonic() + self._grace

    def at_once(self) -> None:
        """Makes SIGKILL due now, for another reason than time."""
        if self._kill_at is None:
            self._kill_at = time.monotonic()
