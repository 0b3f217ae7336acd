"""The stored log lines of all apps: one directory for each app, in a directory that all workers of a machine share."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from norn_tasks import trees
from norn_tasks.adapters.kept_logs.app_files import AppFiles, KeepLimits
from norn_tasks.adapters.kept_logs.private import make_directory, opener
from norn_tasks.adapters.kept_logs.reading import LogReading
from norn_tasks.adapters.kept_logs.records import LineRecord
from norn_tasks.domain.app_logs.lines import KeptLine, LineBatch, LogOrigin, LogQuestion, Position, TakeLines
from norn_tasks.domain.errors import DiskFull
from norn_tasks.domain.quantities import memory_text
from norn_tasks.ports import Stop

log = logging.getLogger(__name__)

_COLLECTOR = "collector"
"""The first part of the name of the lock that makes one process the only collector of a cluster."""


class KeptLogDirectory:
    """Implements `ports.KeptLogs` in the directory `root`, for the replicas of the clusters in `clusters`.

    While the disk has less than `least_free` bytes free, no lines are stored.
    """

    def __init__(self, root: Path, limits: KeepLimits, least_free: int, clusters: Collection[str] = ()) -> None:
        self._root, self._limits, self._least_free, self._clusters = root, limits, least_free, clusters
        self._apps: dict[str, AppFiles] = {}
        self._lock = threading.Lock()

    def collects(self, cluster: str) -> bool:
        """Returns True if this directory stores the lines of the cluster's replicas."""
        return cluster in self._clusters

    def position(self, app: str, container: str) -> Position:
        """Returns how far a container's log was read; an empty position if none of it was stored."""
        return self._files(app).position(container)

    def keep(self, app: str, origin: LogOrigin, batch: LineBatch) -> None:
        """Stores lines of a container together with its new reading position. Raises DiskFull, and stores neither, if
        there is no room.
        """
        if (free := self._free()) < self._least_free:
            raise DiskFull(f"the disk of {self._root} has {memory_text(free)} free, and logs are not kept", hint=_ROOM)
        try:
            self._files(app).append(LineRecord(origin, batch))
        except OSError as error:
            raise DiskFull(f"logs of {app} cannot be written: {error.strerror or error}", hint=_ROOM) from error

    def forget_container(self, app: str, origin: LogOrigin) -> None:
        """Deletes the position of a container that no longer exists."""
        try:
            if self._files(app).position(origin.container):
                self._files(app).append(LineRecord(origin, LineBatch((), (), (), {}), gone=True))
            (self._root / app / f"{origin.short}.lock").unlink(missing_ok=True)
        except OSError as error:
            log.warning("the kept lines of %s cannot be changed: %s", app, error)

    def containers(self, app: str) -> tuple[str, ...]:
        """Returns the containers of the app whose position is known."""
        return self._files(app).containers()

    def origins(self, app: str) -> frozenset[LogOrigin]:
        """Returns the containers whose lines are stored."""
        reading = LogReading(self._root / app)
        try:
            return frozenset(reading.origins())
        finally:
            reading.close()

    def read(
        self, app: str, question: LogQuestion, take: TakeLines, follow: Stop | None = None, stop: Stop | None = None
    ) -> None:
        """Passes the requested lines to `take`. If `follow` is given, it then passes new lines until that stop
        is set.
        """
        oldest = int((time.time() - self._limits.seconds) * 1e9)
        question = replace(question, since=max(oldest, question.since or oldest))
        reading = LogReading(self._root / app)
        try:
            past: list[KeptLine] = reading.lines(question, stop)
            take(past)
            if follow is not None:
                reading.follow(question, take, follow)
        finally:
            reading.close()

    def forget(self, app: str) -> int:
        """Deletes all stored lines of an app; returns how many bytes they had."""
        size = 0
        for path in (self._root / app).glob("*"):
            with suppress(FileNotFoundError):
                size += path.stat().st_size
        trees.remove(self._root / app)
        with self._lock:
            self._apps.pop(app, None)
        return size

    def apps(self) -> tuple[str, ...]:
        """Returns the apps that have a directory of stored lines."""
        return tuple(sorted(path.name for path in self._root.glob("*") if path.is_dir()))

    def trim(self) -> None:
        """Deletes lines that are too old, and the oldest lines of each app whose lines need too much room."""
        for app in self.apps():
            try:
                self._files(app).trim()
            except OSError as error:
                log.warning("old lines of %s are not deleted: %s", app, error)

    def trouble(self, cluster: str) -> str:
        """Returns why lines of this cluster's replicas are not kept at this moment; empty while they are."""
        if (free := self._free()) < self._least_free:
            return f"its disk has {memory_text(free)} free, less than the {memory_text(self._least_free)} that it needs"
        with self.collector(cluster, 0) as nobody:
            return "no worker of the class observe collects them" if nobody else ""

    @contextmanager
    def collector(self, cluster: str, wait: float) -> Iterator[bool]:
        """Makes this process the only collector of a cluster; yields False if another process still is the collector
        after `wait` seconds.
        """
        with self._holding(self._root / f"{_COLLECTOR}-{cluster}.lock", wait) as mine:
            yield mine

    @contextmanager
    def reader(self, app: str, container: str, wait: float) -> Iterator[bool]:
        """Makes the caller the container's only reader; yields False if the container still has another reader after
        `wait` seconds.
        """
        with self._holding(self._root / app / f"{container[:12]}.lock", wait) as mine:
            yield mine

    @contextmanager
    def _holding(self, path: Path, wait: float) -> Iterator[bool]:
        make_directory(path.parent)
        until = time.monotonic() + wait
        with open(path, "a", opener=opener) as lock:
            while not (mine := _taken(lock.fileno())) and time.monotonic() < until:
                time.sleep(0.05)
            yield mine

    def _files(self, app: str) -> AppFiles:
        with self._lock:
            if app not in self._apps:
                self._apps[app] = AppFiles(self._root / app, self._limits)
            return self._apps[app]

    def _free(self) -> int:
        place = self._root
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free


_ROOM = "they are kept again when there is room; the engine has the last ones until then"


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(lock).st_nlink > 0
