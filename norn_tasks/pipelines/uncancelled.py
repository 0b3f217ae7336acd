"""The stop for steps that clean up after a job: a cancellation ends the job's other steps, but not these."""

from __future__ import annotations

import time
from dataclasses import dataclass

from norn_tasks.ports import Stop


@dataclass(frozen=True)
class UncancelledStop:
    """Implements `ports.Stop` with the stop of a job, but ignores a cancellation."""

    job: Stop

    @property
    def reason(self) -> str | None:
        """The reason why the job was stopped; None if the reason is a cancellation."""
        return None if self.job.reason == "cancelled" else self.job.reason

    def wait(self, seconds: float) -> bool:
        """Sleeps for at most `seconds`; returns True if the job must stop for another reason than a cancellation."""
        if self.job.reason != "cancelled":
            return self.job.wait(seconds)
        time.sleep(seconds)  # the job's own stop is already set, so waiting on it would return immediately
        return self.reason is not None

    def check(self) -> None:
        """Raises Stopped if the job was stopped for another reason than a cancellation."""
        if self.reason is not None:
            self.job.check()
