"""Live lines and terminals, which travel through the broker."""

from __future__ import annotations

from collections.abc import Sequence

from norn_tasks.ports import LiveText, Watch
from norn_tasks.store.broker.live import Live
from norn_tasks.store_adapters.reader import ReaderStop
from norn_tasks.store_adapters.terminal import BrokerTerminal

_ENTRY_LINES, _ENTRY_SIZE = 100, 64 * 1024
"""The most lines in one entry of a stream, and the most characters in an entry of several lines."""


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


class BrokerStream:
    """Implements `ports.LiveStream` for one job."""

    def __init__(self, live: Live, job: int, watch: Watch) -> None:
        self._live, self._job, self._sent = live, job, 0
        self.stop = ReaderStop(live, job, watch)

    @property
    def begun(self) -> bool:
        """True if an earlier worker of the job has sent lines already."""
        return self._live.begun(self._job)

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
