"""Emits the lines of several replicas for one client: the last lines in order of time, then new lines as they
arrive.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from norn_tasks.adapters.processes.entries import Line
from norn_tasks.ports import Stop

Emit = Callable[[str, str], None]
"""A function that is called with the name of a replica and one of its lines."""

_WAIT = 0.25
_AHEAD = 1000
"""The most lines that are read before they are emitted; after that the readers of the replicas wait."""


class LogReader(Protocol):
    """Reads the log of one replica on a thread of its own."""

    def close(self) -> None:
        """Ends the reading."""


Replica = TypeVar("Replica")
Reader = TypeVar("Reader", bound=LogReader)


class ReplicaLogs(ABC, Generic[Replica, Reader]):
    """Reads the logs of one app's replicas for one client. A subclass for each cluster finds and reads the replicas."""

    look_seconds: float
    """Seconds between two checks for replicas that have no reader yet."""

    def __init__(self, emit: Emit, stop: Stop) -> None:
        self._emit = emit
        self._stop = stop
        self._last: dict[str, str] = {}
        """For each replica, the time of the last line that `_history` returned."""
        self._readers: dict[str, Reader] = {}
        self._lines: queue.Queue[Line] = queue.Queue(_AHEAD)

    def tail(self, count: int) -> None:
        """Emits the last lines of all replicas in order of time."""
        lines = [line for replica in self._replicas() for line in self._history(replica, count)]
        for line in sorted(lines, key=lambda line: line.at):
            if self._stop.reason is not None:
                return
            self._emit(line.replica, line.text)

    def follow(self) -> None:
        """Emits new lines until the stop is set."""
        looked = 0.0
        try:
            while self._stop.reason is None:
                if time.monotonic() - looked > self.look_seconds:
                    self._attend()
                    looked = time.monotonic()
                with contextlib.suppress(queue.Empty):
                    line = self._lines.get(timeout=_WAIT)
                    self._emit(line.replica, line.text)
        finally:
            for reader in self._readers.values():
                reader.close()

    @abstractmethod
    def _replicas(self) -> Iterable[Replica]:
        """Returns the app's present replicas."""

    @abstractmethod
    def _history(self, replica: Replica, count: int) -> list[Line]:
        """Returns a replica's last lines, and remembers the time of the last one, which is read even if `count`
        is 0.
        """

    @abstractmethod
    def _attend(self) -> None:
        """Starts a reader for every replica that may write and has none."""


def hand_on(line: Line, into: queue.Queue[Line], closed: threading.Event) -> None:
    """Puts a line into the queue as soon as there is room; gives up if the reading is closed first."""
    while not closed.is_set():
        with contextlib.suppress(queue.Full):
            into.put(line, timeout=_WAIT)
            return
