"""The live side of the broker."""

from __future__ import annotations

from typing import Protocol

from norn_tasks.ports.watch import Stop, Watch


class LiveStream(Protocol):
    """Where a job's live lines go; nothing depends on their arriving."""

    @property
    def stop(self) -> Stop:
        """Set when nobody reads any more."""

    def line(self, source: str, text: str) -> None:
        """Sends one line."""

    def end(self) -> None:
        """Tells the readers that no more will come."""


class LiveStreams(Protocol):
    """The live side of the broker."""

    def of_job(self, job: int, watch: Watch) -> LiveStream:
        """Opens a job's live stream, whose stop is also set with the watch's."""
