"""Live lines and terminals, which are sent through the broker."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from norn_tasks.ports import LiveText, Watch
from norn_tasks.store.broker.live import Live
from norn_tasks.store_adapters.reader import ReaderStop
from norn_tasks.store_adapters.terminal import BrokerTerminal

_ENTRY_LINES, _ENTRY_SIZE = 100, 64 * 1024
"""The most lines in one entry of a stream, and the most characters of an entry with several lines."""
_PIECES_MOST = 4 * 2**20
"""The bytes of a call's output after which no more pieces are sent."""


class BrokerStreams:
    """Implements `ports.LiveStreams` with a broker."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def of_job(self, job: int, watch: Watch) -> BrokerStream:
        """Opens a job's stream."""
        return BrokerStream(self._live, job, watch)

    def terminal(self, job: int, watch: Watch) -> BrokerTerminal:
        """Opens the terminal of the client that asked for the job."""
        return BrokerTerminal(self._live, job, watch)

    def pieces(self, job: int) -> Callable[[bytes], None]:
        """Returns a function that sends pieces of a job's output to the client that reads them while the code runs."""
        return BrokerPieces(self._live, job).send


class BrokerPieces:
    """Sends the output of a call in pieces to a client that reads it while the code runs.

    Each piece has its position in the output, so that the reader notices a missing one. If the broker is unreachable,
    the client has disconnected, or the output is large, no more pieces are sent. The reader then gets the rest when the
    call has ended.
    """

    def __init__(self, live: Live, job: int) -> None:
        self._live, self._job = live, job
        self._at = 0
        self._read = True

    def send(self, data: bytes) -> None:
        """Sends the next piece."""
        if self._read:
            text = base64.b64encode(data).decode("ascii")
            self._read = self._live.emit(self._job, [("stdout", text, {"at": self._at})], first=self._at + 1)
        self._at += len(data)
        self._read = self._read and self._at <= _PIECES_MOST


class BrokerStream:
    """Implements `ports.LiveStream` for one job."""

    def __init__(self, live: Live, job: int, watch: Watch) -> None:
        self._live, self._job, self._sent = live, job, 0
        self.stop = ReaderStop(live, job, watch)

    @property
    def sent(self) -> Mapping[str, Any] | None:
        """The facts about the last line that an earlier worker of the job has sent; None if there is no such line."""
        last = self._live.last(self._job)
        return None if last is None else last.about

    def line(self, source: str, text: str) -> None:
        """Sends one line."""
        self.lines([LiveText(source, text)])

    def lines(self, lines: Sequence[LiveText]) -> None:
        """Sends lines, several in one entry."""
        part: list[LiveText] = []
        size = 0
        for line in lines:
            if part and (len(part) >= _ENTRY_LINES or size + len(line.text) > _ENTRY_SIZE):
                self._send(part)
                part, size = [], 0
            part.append(line)
            size += len(line.text)
        if part:
            self._send(part)

    def _send(self, lines: Sequence[LiveText]) -> None:
        self._live.emit(self._job, lines, first=self._sent + 1)
        self._sent += len(lines)

    def end(self) -> None:
        """Marks the end of the stream for its readers."""
        self._live.emit(self._job, (), last=True)
