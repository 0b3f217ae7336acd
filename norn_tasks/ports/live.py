"""Live streams and terminals: output for connected clients while a job runs, and input from these clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from norn_tasks.ports.watch import Stop, Watch


class LiveText(NamedTuple):
    """A line for a reader: the name of its writer, its text, and further facts such as the time."""

    source: str
    text: str
    about: Mapping[str, Any] = {}


class LiveStream(Protocol):
    """Receives a job's live lines for connected clients. The result of the job does not depend on their arrival."""

    @property
    def stop(self) -> Stop:
        """The stop that is set when no client reads the stream."""

    @property
    def sent(self) -> Mapping[str, Any] | None:
        """The facts about the last line that an earlier worker of the job sent; None if there is no such line."""

    def line(self, source: str, text: str) -> None:
        """Sends one line."""

    def lines(self, lines: Sequence[LiveText]) -> None:
        """Sends lines in order."""

    def end(self) -> None:
        """Marks the end of the stream for its readers."""


@dataclass(frozen=True)
class Typed:
    """Input of a client: bytes, the end of the input, or a new size of the window (rows and columns)."""

    data: bytes = b""
    eof: bool = False
    size: tuple[int, int] | None = None


class Terminal(Protocol):
    """A connected client, which types input and reads output."""

    @property
    def stop(self) -> Stop:
        """The stop that is set when the client has disconnected."""

    def typed(self, seconds: float) -> Typed | None:
        """Waits for the next input, for at most `seconds`; returns None if there is none."""

    def wrote(self, stream: str, data: bytes) -> None:
        """Passes on output of `stdout` or `stderr`; waits while the client reads slowly. Raises Stopped."""

    def ended(self, exit_code: int) -> None:
        """Sends the program's exit code; nothing more follows."""


class LiveStreams(Protocol):
    """Opens the live streams and the terminals of jobs."""

    def of_job(self, job: int, watch: Watch) -> LiveStream:
        """Opens a job's live stream; its stop is also set when the stop of `watch` is set."""

    def terminal(self, job: int, watch: Watch) -> Terminal:
        """Opens the terminal of the client that asked for the job."""

    def pieces(self, job: int) -> Callable[[bytes], None]:
        """Returns a function that sends pieces of a job's output to a client that reads them while the code runs."""
