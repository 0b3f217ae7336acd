"""The stop for work that is done for a reader. It is set when the job is stopped, or when the reader has
disconnected.
"""

from __future__ import annotations

from norn_tasks.domain.errors import Stopped
from norn_tasks.ports import Watch
from norn_tasks.store.broker.live import Live


class ReaderStop:
    """Implements `ports.Stop`: set with the job's own stop, or when no client reads the job's stream."""

    def __init__(self, live: Live, job: int, watch: Watch) -> None:
        self._live, self._job, self._outer = live, job, watch.stop

    @property
    def reason(self) -> str | None:
        """The reason of the job's own stop; without one, `cancelled` when no client reads."""
        return self._outer.reason or (None if self._live.watched(self._job) else "cancelled")

    def wait(self, seconds: float) -> bool:
        """Sleeps for at most `seconds`; True when the stop is set."""
        return self._outer.wait(seconds) or self.reason is not None

    def check(self) -> None:
        """Raises Stopped when the stop is set."""
        if self.reason is not None:
            raise Stopped(f"the reading was stopped: {self.reason}", reason=self.reason)
