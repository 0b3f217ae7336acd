"""Reads the output of an app's pods: first the last lines in order of time, then new lines, including those of new
pods.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.looking import TIME, entries_of
from norn_tasks.adapters.kubernetes.objects.pod import CONTAINER
from norn_tasks.adapters.kubernetes.refusals import refusal
from norn_tasks.adapters.kubernetes.site import Object
from norn_tasks.adapters.processes.entries import Entries, Line, last_lines, spare
from norn_tasks.adapters.processes.tailing import Emit, ReplicaLogs, hand_on
from norn_tasks.domain.errors import NornError
from norn_tasks.domain.redaction import Redaction
from norn_tasks.ports import Stop

_LOOK = 1.0


class PodLogs(ReplicaLogs[Object, "_PodReader"]):
    """Reads the logs of one app's pods for one client."""

    look_seconds = _LOOK

    def __init__(self, api: Api, selector: str, emit: Emit, stop: Stop, hidden: Redaction) -> None:
        super().__init__(emit, stop)
        self._api = api
        self._selector = selector
        self._hidden = hidden

    def _replicas(self) -> tuple[Object, ...]:
        return self._api.all_of("Pod", self._selector)

    def _history(self, pod: Object, count: int) -> list[Line]:
        name = pod["metadata"]["name"]
        tail = str(max(count, 1) + spare(self._hidden))
        query = {"container": CONTAINER, "timestamps": "true", "tailLines": tail}
        status, body = self._api.send("GET", f"{self._api.path('Pod', name)}/log", query=query)
        if status in (400, 404):
            return []  # the pod has not started yet, or was just removed
        if status != 200:
            raise refusal(status, body, "read", f"the log of {name}")
        lines = last_lines(entries_of(body), name, max(count, 1), self._hidden)
        if lines:
            self._last[name] = lines[-1].at
        return lines if count else []

    def _attend(self) -> None:
        with contextlib.suppress(NornError):
            for pod in self._replicas():
                name = pod["metadata"]["name"]
                if name not in self._readers and pod["status"].get("phase") != "Pending":
                    after = self._last.get(name, "")
                    self._readers[name] = _PodReader(self._api, name, after, self._lines, self._hidden)


class _PodReader:
    """Reads one pod's log on a thread of its own: the lines after the time `last`, until the pod no longer exists or
    the reader is closed.
    """

    def __init__(self, api: Api, pod: str, last: str, into: queue.Queue[Line], hidden: Redaction) -> None:
        self._closed = threading.Event()
        self._api = api
        self._pod = pod
        self._last = last
        self._into = into
        self._hidden = hidden
        threading.Thread(target=self._read, name=f"logs-{pod}", daemon=True).start()

    def close(self) -> None:
        """Ends the reading."""
        self._closed.set()

    def _read(self) -> None:
        """Reads the log, and opens it again whenever the stream ends, such as after a long silence, a restart or an
        outage.
        """
        while not self._closed.is_set():
            with contextlib.suppress(NornError, OSError, *_broken()):
                if self._api.get("Pod", self._pod) is None:
                    return
                for line in self._new_lines():
                    hand_on(line, self._into, self._closed)
            self._closed.wait(_LOOK)

    def _new_lines(self) -> Iterator[Line]:
        entries, after = Entries(self._pod, self._hidden), self._last
        query = {"container": CONTAINER, "timestamps": "true", "follow": "true", "sinceTime": _shortly_before(after)}
        with contextlib.closing(self._api.stream(f"{self._api.path('Pod', self._pod)}/log", query)) as answer:
            rest = b""
            for piece in answer.stream(amt=None, decode_content=False):
                *whole, rest = (rest + piece).split(b"\n")
                logged = (entry + b"\n" for entry in whole if TIME.match(entry))
                for line in (line for entry in logged for line in entries.feed(entry)):
                    if line.at > after:
                        self._last = line.at
                        yield line
                if self._closed.is_set():
                    return
        yield from entries.end()


def _shortly_before(at: str) -> str:
    """Returns a time two seconds earlier, because a secret of several lines is recognised only if all its lines are
    read.
    """
    return (datetime.fromisoformat(at) - timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def _broken() -> tuple[type[Exception], ...]:
    """Returns the errors of a connection that has ended, or that has brought no data for a while."""
    from urllib3.exceptions import HTTPError

    return (HTTPError,)
