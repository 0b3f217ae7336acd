"""The live side of the broker."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Typed:
    """What somebody typed: bytes, their end, or another size of the window (rows and columns)."""

    data: bytes = b""
    eof: bool = False
    size: tuple[int, int] | None = None


class Terminal(Protocol):
    """Somebody who is there: types, and reads what is written."""

    @property
    def stop(self) -> Stop:
        """Set when nobody reads any more."""

    def typed(self, seconds: float) -> Typed | None:
        """Waits for what comes next, at most so long."""

    def wrote(self, stream: str, data: bytes) -> None:
        """Hands on what came on `stdout` or `stderr`; waits while the reader is slow. Raises Stopped."""

    def ended(self, exit_code: int) -> None:
        """Tells how the program ended: nothing more comes."""


class LiveStreams(Protocol):
    """The live side of the broker."""

    def of_job(self, job: int, watch: Watch) -> LiveStream:
        """Opens a job's live stream, whose stop is also set with the watch's."""

    def terminal(self, job: int, watch: Watch) -> Terminal:
        """Opens the terminal of whoever asked for the job."""
