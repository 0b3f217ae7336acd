"""The log files of one app. New lines are appended to an open file; when it is large it is sealed, and the oldest
sealed files are deleted.

Several processes write: the worker that collects logs, and any worker that removes a container. Each takes a lock for a
change, and first reads the changes of the others.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from norn_tasks.adapters.kept_logs import chunks
from norn_tasks.adapters.kept_logs.private import make_directory, opener
from norn_tasks.adapters.kept_logs.records import LineRecord, Positions, decoded, encoded
from norn_tasks.domain.app_logs.lines import Position

OPEN, CHUNK = ".open", ".chunk"
OPEN_LINES = 100_000
"""The number of lines at which the open file is sealed, even if it has few bytes."""


@dataclass(frozen=True)
class KeepLimits:
    """The limits for the stored lines of each app."""

    most_bytes: int
    """The most bytes of all files of an app."""
    seconds: float
    """The age in seconds after which lines are deleted."""
    open_bytes: int = 4 * 1024 * 1024
    """The size at which the open file is sealed."""


@dataclass
class _OpenFile:
    """The open file and its contents, as far as this process knows them."""

    number: int = 0
    inode: int = 0
    size: int = 0
    lines: int = 0
    positions: Positions = field(default_factory=dict)


class AppFiles:
    """The directory of one app, for a process that writes to it. All threads of the process share this object."""

    def __init__(self, directory: Path, limits: KeepLimits) -> None:
        self._directory = directory
        self._limits = limits
        self._lock = threading.Lock()
        self._known = _OpenFile()

    def position(self, container: str) -> Position:
        """Returns how far a container's log was read; an empty position if none of it was stored."""
        if not self._directory.is_dir():
            return {}
        with self._locked():
            return self._known.positions.get(container, {})

    def containers(self) -> tuple[str, ...]:
        """Returns the containers that have a position."""
        if not self._directory.is_dir():
            return ()
        with self._locked():
            return tuple(self._known.positions)

    def append(self, record: LineRecord) -> None:
        """Stores a complete record, or raises OSError and stores nothing of it."""
        make_directory(self._directory)
        with self._locked():
            self._write(encoded(record))
            self._note(record)
            if self._known.size >= self._limits.open_bytes or self._known.lines >= OPEN_LINES:
                self._seal()

    def trim(self) -> None:
        """Deletes the files whose lines are too old, and the oldest files if all files together have too many bytes."""
        with self._locked():
            path = self._open_path()
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > self._limits.seconds:
                    self._seal()
            self._delete_old()

    def _write(self, data: bytes) -> None:
        path, size = self._open_path(), self._known.size
        with open(path, "ab", buffering=0, opener=opener) as file:
            try:
                written = file.write(data)
                if written != len(data):
                    raise OSError(f"only {written} of {len(data)} bytes were written")
            except OSError:
                file.truncate(size)
                raise
            self._known.inode = os.fstat(file.fileno()).st_ino
        self._known.size = size + len(data)

    def _open_path(self) -> Path:
        return self._directory / f"{self._known.number:08d}{OPEN}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        place = self._directory / "lock"
        with self._lock, open(place, "a", opener=opener) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._refresh()
            yield

    def _refresh(self) -> None:
        """Reads what other processes have written, and cuts off a record that was not written completely."""
        sealed, open_ = numbers(self._directory, CHUNK), numbers(self._directory, OPEN)
        newest = sealed[-1] if sealed else 0
        # a process has died after it sealed the open file as a chunk, and before it deleted the open file
        for number in [each for each in open_ if each <= newest]:
            (self._directory / f"{number:08d}{OPEN}").unlink(missing_ok=True)
        number = newest + 1
        try:
            found = (self._directory / f"{number:08d}{OPEN}").stat()
            inode, size = found.st_ino, found.st_size
        except FileNotFoundError:
            inode, size = 0, 0
        known = self._known
        if (known.number, known.inode) != (number, inode) or size < known.size:
            known = _OpenFile(number, inode, positions=self._positions_at(newest))
        self._known = known
        if size > known.size:
            self._read_on(size)

    def _positions_at(self, newest: int) -> Positions:
        head = chunks.head_of(self._directory / f"{newest:08d}{CHUNK}") if newest else None
        return dict(head.positions) if head is not None else {}

    def _read_on(self, size: int) -> None:
        with self._open_path().open("r+b") as file:
            file.seek(self._known.size)
            end = begin = self._known.size
            for record, after in decoded(file.read()):
                self._note(record)
                end = begin + after
            if end < size:
                file.truncate(end)
        self._known.size = end

    def _note(self, record: LineRecord) -> None:
        record.note(self._known.positions)
        self._known.lines += len(record.batch.texts)

    def _seal(self) -> None:
        path = self._open_path()
        lines = [line for record, _ in decoded(path.read_bytes()) for line in record.lines()]
        chunks.write(path.with_suffix(CHUNK), lines, self._known.positions)
        path.unlink()
        self._known = _OpenFile(self._known.number + 1, positions=self._known.positions)
        self._delete_old()

    def _delete_old(self) -> None:
        """Deletes the oldest chunks. The newest chunk always stays (without its lines, if they are too old), because
        its head contains the positions of all containers.
        """
        paths = [self._directory / f"{number:08d}{CHUNK}" for number in numbers(self._directory, CHUNK)]
        sizes = [path.stat().st_size for path in paths]
        most = self._limits.most_bytes - self._limits.open_bytes * 5 // 4
        while len(paths) > 1 and (sum(sizes) > most or self._too_old(paths[0])):
            paths.pop(0).unlink()
            sizes.pop(0)
        if paths and (head := self._too_old(paths[0])) is not None and head.lines:
            chunks.write(paths[0], (), head.positions)

    def _too_old(self, path: Path) -> chunks.ChunkHead | None:
        """Returns the head of a chunk if its last line is too old, and None otherwise."""
        head = chunks.head_of(path)
        oldest = (time.time() - self._limits.seconds) * 1e9
        return head if head is not None and head.last < oldest else None


def numbers(directory: Path, suffix: str) -> list[int]:
    """Returns the numbers of the files with a suffix, in order; an empty list if the directory does not exist."""
    try:
        names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(name[: -len(suffix)]) for name in names if name.endswith(suffix))
