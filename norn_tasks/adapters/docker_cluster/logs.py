"""Reads the output of an app's replicas: first the last lines in order of time, then new lines, including those of new
replicas.
"""

from __future__ import annotations

import contextlib
import queue
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from docker import APIClient
from docker.types.daemon import CancellableStream

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker_cluster import policy
from norn_tasks.adapters.docker_cluster.containers import listed
from norn_tasks.adapters.processes.entries import Entries, Line, last_lines, spare
from norn_tasks.adapters.processes.tailing import Emit, ReplicaLogs, hand_on
from norn_tasks.domain.errors import EngineDown, NornError, Stopped
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.ports import Stop

T = TypeVar("T")

_LOOK = 0.5
_WRITING = ("running", "restarting")
_REST = 2.0
"""Seconds between two readings of a replica that ends repeatedly, because each reading goes through its complete log.
"""


class Logs(ReplicaLogs[dict[str, Any], "_LogReader"]):
    """Reads the logs of one app's replicas for one client; raises Stopped if the stop is set during a call to the
    engine.
    """

    look_seconds = _LOOK

    def __init__(
        self, engine: EngineClient, instance: str, app: str, emit: Emit, stop: Stop, hidden: Redaction = NOTHING_HIDDEN
    ) -> None:
        super().__init__(emit, stop)
        self._engine = engine
        self._instance = instance
        self._app = app
        self._hidden = hidden

    def _replicas(self) -> list[dict[str, Any]]:
        return listed(self._ask, self._instance, self._app)

    def _ask(self, call: Callable[[APIClient], T], /) -> T:
        return self._engine.promptly(call, self._stop)

    def _history(self, replica: dict[str, Any], count: int) -> list[Line]:
        def read(client: APIClient) -> list[bytes]:
            asked = max(count, 1) + spare(self._hidden)
            return list(client.logs(replica["Id"], stream=True, follow=False, timestamps=True, tail=asked))

        try:
            lines = last_lines(self._ask(read), _name(replica), max(count, 1), self._hidden)
        except (EngineDown, Stopped):
            raise
        except NornError:
            # The container was just removed.
            return []
        if lines:
            self._last[replica["Id"]] = lines[-1].at
        return lines[-count:] if count else []

    def _attend(self) -> None:
        """Starts a reader for each new replica, and for each replica that was restarted after its reader had ended."""
        try:
            replicas = self._replicas()
        except EngineDown:
            return
        for each in replicas:
            reader = self._readers.get(each["Id"])
            if reader is None or (reader.ended and each["State"] in _WRITING):
                after = reader.last if reader is not None else self._last.get(each["Id"], "")
                self._readers[each["Id"]] = _LogReader(self._engine, each, after, self._lines, self._hidden)


class _LogReader:
    """Reads one replica's log on a thread of its own: the lines after the time `last`, until the log ends or the reader
    is closed.
    """

    def __init__(
        self, engine: EngineClient, replica: dict[str, Any], last: str, into: queue.Queue[Line], hidden: Redaction
    ) -> None:
        self.last = last
        self._engine = engine
        self._id: str = replica["Id"]
        self._name = _name(replica)
        self._into = into
        self._hidden = hidden
        self._closed = threading.Event()
        self._begun = time.monotonic()
        self._stream: CancellableStream[bytes] | None = None
        self._thread = threading.Thread(target=self._read, name=f"logs-{self._name}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """True if the reading has ended and began more than `_REST` seconds ago. A new reading may begin then."""
        return not self._thread.is_alive() and time.monotonic() - self._begun > _REST

    def close(self) -> None:
        """Ends the reading."""
        self._closed.set()
        # If the stream is just ending by itself, it no longer has a socket.
        with contextlib.suppress(OSError, AttributeError):
            if self._stream is not None:
                self._stream.close()

    def _read(self) -> None:
        # After any end of the stream, the next call of `_attend` continues from `last` if the replica still runs.
        with contextlib.suppress(NornError, OSError, struct.error):
            for line in self._new_lines():
                hand_on(line, self._into, self._closed)

    def _new_lines(self) -> Iterator[Line]:
        entries = Entries(self._name, self._hidden)
        after = self.last
        for entry in self._opened():
            for line in entries.feed(entry):
                if line.at > after:
                    self.last = line.at
                    yield line
        yield from entries.end()

    def _opened(self) -> Iterator[bytes]:
        # Reading begins a little before `last`, because a secret that begins there is only recognised from its
        # beginning.
        since = int(datetime.fromisoformat(self.last).timestamp()) - 2 if self.last else None

        def open_(client: APIClient) -> CancellableStream[bytes]:
            return client.logs(self._id, stream=True, follow=True, timestamps=True, since=since)

        self._stream = self._engine.ask(open_)
        if self._closed.is_set():
            self.close()
        yield from self._stream


def _name(replica: dict[str, Any]) -> str:
    marks = replica["Labels"]
    return f"r{marks[policy.RELEASE]}-{marks[policy.INDEX]}"
