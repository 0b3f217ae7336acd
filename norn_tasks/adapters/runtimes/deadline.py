"""The deadline of a run's container: SIGTERM at its timeout or when it is cancelled, and SIGKILL after the grace
period.
"""

from __future__ import annotations

import time


class Deadline:
    """Decides which signal is due: SIGTERM after `seconds` (0 or less: now), and SIGKILL `grace` seconds later."""

    def __init__(self, seconds: float, grace: float) -> None:
        self._term_at = time.monotonic() + seconds
        self._grace = grace
        self._kill_at: float | None = None
        self._done = False
        self.passed = False
        self.cancelled = False

    def due(self) -> str | None:
        """Returns the signal that should have been sent by now and was not; None if there is none."""
        now = time.monotonic()
        if self._done:
            return None
        if self._kill_at is not None:
            return "SIGKILL" if now >= self._kill_at else None
        return "SIGTERM" if now >= self._term_at else None

    def sent(self, signal: str) -> None:
        """Records that the signal has reached the container."""
        if signal == "SIGKILL":
            self._done = True
        else:
            self.passed = not self.cancelled
            self._kill_at = time.monotonic() + self._grace

    def cancel(self) -> None:
        """Makes SIGTERM due now because of a cancellation, unless the run is already being ended for another reason."""
        if self._kill_at is None and not self.cancelled:
            self.cancelled = True
            self._term_at = min(self._term_at, time.monotonic())

    def at_once(self) -> None:
        """Makes SIGKILL due now, for a reason other than the time limit."""
        if self._kill_at is None:
            self._kill_at = time.monotonic()
