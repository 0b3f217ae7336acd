"""Allows one Norn per data directory: a lock that the supervisor inherits. The kernel releases it when the supervisor
dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from norn_tasks.domain.errors import AlreadyRunning


@dataclass(frozen=True)
class Holder:
    """The holder of the lock: the supervisor's pid (while it starts, the pid of `norn up`), its start time, and Norn's
    URL.
    """

    pid: int
    since: str
    url: str

    @property
    def began(self) -> datetime:
        """The time of its start."""
        return datetime.fromisoformat(self.since)


class Lock:
    """The lock of one data directory, held by this process."""

    def __init__(self, path: Path) -> None:
        """Takes the lock; raises AlreadyRunning, which names the holder."""
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _taken(self.fd):
            os.close(self.fd)
            raise AlreadyRunning(_who(holder(path)), hint="norn status, norn down")

    def write_holder(self, pid: int, url: str) -> None:
        """Writes the holder into the lock file, so that another process that finds the lock taken can name the
        holder.
        """
        holding = Holder(pid, datetime.now(UTC).isoformat(timespec="seconds"), url)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, json.dumps(asdict(holding)).encode(), 0)

    def close(self) -> None:
        """Releases the lock, unless a supervisor that inherited it still runs."""
        os.close(self.fd)


def holder(path: Path) -> Holder | None:
    """Returns the last holder that wrote into the lock file; None if there is none."""
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def held(path: Path) -> bool:
    """Returns True if a process holds the lock."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _flock(fd)
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    """Takes the lock. It retries for a moment, because another process may only be testing the lock."""
    for _ in range(10):
        if _flock(fd):
            return True
        time.sleep(0.02)
    return False


def _flock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _who(known: Holder | None) -> str:
    if known is None:
        return "Norn is already being started here"
    return f"Norn is already running here (pid {known.pid}, since {known.began.astimezone():%Y-%m-%d %H:%M})"
