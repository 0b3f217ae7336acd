"""The live side of the broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from norn_tasks.ports.watch import Stop, Watch


class LiveText(NamedTuple):
    """A line for a reader: the name of what wrote it, its text, and further facts such as its time."""

    source: str
    text: str
    about: Mapping[str, Any] = {}


class LiveStream(Protocol):
    """The receiver of a job's live lines; nothing depends on their arrival."""

    @property
    def stop(self) -> Stop:
        """The stop that is set when no client reads it."""

    @property
    def begun(self) -> bool:
        """True if an earlier worker of the job has sent lines already."""

    def line(self, source: str, text: str) -> None:
        """Sends one line."""

    def lines(self, lines: Sequence[LiveText]) -> None:
        """Sends lines in order."""

    def end(self) -> None:
        """Marks the end of the stream for its readers."""


@dataclass(frozen=True)
class Typed:
    """Input of a client: bytes, their end, or another size of the window (rows and columns)."""

    data: bytes = b""
    eof: bool = False
    size: tuple[int, int] | None = None


class Terminal(Protocol):
    """A client that is connected: it types, and reads the output."""

    @property
    def stop(self) -> Stop:
        """The stop that is set when no client reads it."""

    def typed(self, seconds: float) -> Typed | None:
        """Waits for the next input, for at most `seconds`."""

    def wrote(self, stream: str, data: bytes) -> None:
        """Passes on output of `stdout` or `stderr`; waits while the reader is slow. Raises Stopped."""

    def ended(self, exit_code: int) -> None:
        """Sends the program's exit code; nothing more follows."""


class LiveStreams(Protocol):
    """The live side of the broker."""

    def of_job(self, job: int, watch: Watch) -> LiveStream:
        """Opens a job's live stream, whose stop is also set with the watch's."""

    def terminal(self, job: int, watch: Watch) -> Terminal:
        """Opens the terminal of the client that asked for the job."""

    def pieces(self, job: int) -> Callable[[bytes], None]:
        """Returns a function that sends pieces of a job's output to the client that reads them while the code runs."""
