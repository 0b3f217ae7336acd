"""Reads the output of a run from its pod, on a thread of its own. Kubernetes merges stdout and stderr into one stream.

Each entry of the log begins with its time; a message of the node does not. If a node has already removed the container,
it sends such a message with status 200 instead of the log.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time

from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.looking import TIME
from norn_tasks.adapters.kubernetes.objects.pod import CONTAINER
from norn_tasks.domain.errors import NornError

_AHEAD = 64
"""The most pieces that are read ahead; the rest stays in the cluster until these are taken."""
_QUIET = 60.0
"""Seconds without output after which the log is opened again: the connection may be dead."""
_PAUSE, _FULL = 1.0, 0.05


class PodOutput:
    """The output of one pod. If the connection breaks, reading continues after the last byte."""

    def __init__(self, api: Api, pod: str) -> None:
        self._api, self._pod = api, pod
        self._pieces: queue.Queue[bytes] = queue.Queue(_AHEAD)
        self._size, self._handing = 0, threading.Lock()
        self._closed, self._over = threading.Event(), threading.Event()
        self._begun = b""
        threading.Thread(target=self._read, name=f"output-{pod}", daemon=True).start()

    def close(self) -> None:
        """Ends the reading."""
        with self._handing:
            self._closed.set()

    @property
    def over(self) -> bool:
        """True if the log has ended and all of it was taken."""
        return self._over.is_set() and self._pieces.empty()

    def take(self, seconds: float) -> bytes:
        """Returns the next lines; empty if none has arrived within `seconds`."""
        try:
            return self._lines(self._pieces.get(timeout=seconds))
        except queue.Empty:
            return b""

    def rest(self) -> bytes:
        """Returns the part of an ended run's log that was not taken yet; raises ClusterDown."""
        status, whole = self._api.send("GET", self._path, query=self._query)
        self.close()
        waiting = []
        while not self._pieces.empty():
            waiting.append(self._pieces.get())
        more = whole[self._size :] if status == 200 and TIME.match(whole) else b""
        return self._lines(b"".join((*waiting, more))) + self.last()

    def last(self) -> bytes:
        """Returns the last line if it has no line end."""
        last, self._begun = self._begun, b""
        return _without_time(last)

    @property
    def _path(self) -> str:
        return f"{self._api.path('Pod', self._pod)}/log"

    @property
    def _query(self) -> dict[str, str]:
        return {"container": CONTAINER, "timestamps": "true"}

    def _lines(self, piece: bytes) -> bytes:
        """Returns the lines that are complete now, without their times."""
        *whole, self._begun = (self._begun + piece).split(b"\n")
        return b"".join(_without_time(line + b"\n") for line in whole)

    def _read(self) -> None:
        from urllib3.exceptions import HTTPError

        while not self._closed.is_set():
            with contextlib.suppress(NornError, OSError, HTTPError):
                self._read_on()
                self._over.set()
                return
            self._closed.wait(_PAUSE)

    def _read_on(self) -> None:
        before = self._size
        query = {**self._query, "follow": "true"}
        with contextlib.closing(self._api.stream(self._path, query, _QUIET)) as answer:
            for piece in answer.stream(amt=None, decode_content=False):
                known = min(before, len(piece))
                before -= known
                if not self._hand_on(piece[known:]):
                    return

    def _hand_on(self, piece: bytes) -> bool:
        """Queues a piece when there is room; returns False if the reading was closed."""
        while piece:
            with self._handing, contextlib.suppress(queue.Full):
                if self._closed.is_set():
                    return False
                self._pieces.put_nowait(piece)
                self._size += len(piece)
                return True
            time.sleep(_FULL)
        return True


def _without_time(line: bytes) -> bytes:
    """Returns an entry of the log without its time; empty for a message of the node."""
    time_of_entry = TIME.match(line)
    return line[time_of_entry.end() :] if time_of_entry is not None else b""
