"""Reads one pod's log from the position at which the previous reading ended, and stores its lines (in `kept_logs`)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

from norn_tasks.adapters.kept_logs.intake import LineIntake, LogEntry
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.looking import TIME, entries_of
from norn_tasks.adapters.kubernetes.objects.pod import CONTAINER
from norn_tasks.adapters.kubernetes.refusals import refusal
from norn_tasks.domain.app_logs.lines import LogOrigin
from norn_tasks.ports import Hiding, KeptLogs

BATCH = 256 * 1024
"""When the lines that were read reach this number of bytes, they are stored."""
_QUIET = 60.0
"""Seconds without output after which the log is opened again, in case the connection is dead."""
_STDOUT = 1


class PodLog:
    """Moves one pod's log lines from the cluster into Norn's log store."""

    def __init__(self, api: Api, logs: KeptLogs, hiding: Hiding, app: str, origin: LogOrigin) -> None:
        self._api, self._logs, self._hiding = api, logs, hiding
        self._app, self._origin = app, origin
        self._lock = threading.Lock()
        self._intake: LineIntake | None = None

    def collect(self, *, restarted: bool) -> None:
        """Stores the output until the program ends. `restarted`: the node has started the program more than once.

        Raises StepFailed, ClusterDown, DiskFull, DatabaseDown or SecretsLocked, and the errors of a connection that
        breaks; even then, a new call continues at the stored position, before which all output has been stored.
        """
        position, hidden = self._logs.position(self._app, self._origin.container), self._hiding.of(self._app)
        # When the node starts the program again, the log no longer has the entries from before that start.
        intake = LineIntake(position, hidden, whole=False)
        with self._lock:
            self._intake = intake
        try:
            if restarted:
                self._feed(intake, self._earlier(intake.since))
            for entries in self._followed(intake.since):
                self._feed(intake, entries)
            with self._lock:
                intake.end()
                self._keep(intake)
        finally:
            with self._lock:
                self._intake = None

    def keep(self) -> None:
        """Stores the complete lines that have been read by now; another thread calls this several times in a second."""
        with self._lock:
            if self._intake is not None:
                self._keep(self._intake)

    def _feed(self, intake: LineIntake, entries: list[LogEntry]) -> None:
        with self._lock:
            intake.feed(entries)
            if intake.size >= BATCH:
                self._keep(intake)

    def _keep(self, intake: LineIntake) -> None:
        batch = intake.batch()
        if batch is not None:
            self._logs.keep(self._app, self._origin, batch)

    def _earlier(self, since: int) -> list[LogEntry]:
        """Returns the output of the program before it was last started again; nothing if the node has removed it."""
        query = {"previous": "true", **_query(since)}
        status, body = self._api.send("GET", self._path, query=query)
        if status in (400, 404):
            return []
        if status != 200:
            raise refusal(status, body, "read", f"the log of {self._origin.container}")
        return [_entry(line) for line in entries_of(body)]

    def _followed(self, since: int) -> Iterator[list[LogEntry]]:
        """Yields the entries of the log as they arrive, until the program ends."""
        stream = self._api.stream(self._path, {"follow": "true", **_query(since)}, _QUIET)
        with contextlib.closing(stream) as answer:
            rest = b""
            for piece in answer.stream(amt=None, decode_content=False):
                *whole, rest = (rest + piece).split(b"\n")
                yield [_entry(line + b"\n") for line in whole if TIME.match(line)]
            if TIME.match(rest):
                yield [_entry(rest)]

    @property
    def _path(self) -> str:
        return f"{self._api.path('Pod', self._origin.container)}/log"


def _query(since: int) -> dict[str, str]:
    asked = {"container": CONTAINER, "timestamps": "true"}
    # The server ignores fractions of a second.
    return asked | ({"sinceTime": f"{datetime.fromtimestamp(since // 10**9, UTC):%Y-%m-%dT%H:%M:%SZ}"} if since else {})


def _entry(line: bytes) -> LogEntry:
    """Returns the entry of a line that begins with its time."""
    moment, _, text = line.partition(b" ")
    return LogEntry(_STDOUT, nanoseconds(moment.decode()), text)


def nanoseconds(moment: str) -> int:
    """Returns a time as nanoseconds since 1970; a node writes up to nine digits after the second, and its zone."""
    second, zone = moment[:19], moment[19:].lstrip(".0123456789")
    fraction = moment[19 : len(moment) - len(zone)].removeprefix(".")
    return int(datetime.fromisoformat(second + zone).timestamp()) * 10**9 + int(fraction.ljust(9, "0")[:9])
