"""Waits for the processes that a dead supervisor has left behind, and kills those that do not end. The kernel has
already sent them a signal to stop.

The stores are recognised by the address of Norn's control socket in their environment, which the supervisor sets. Forks
of the supervisor are recognised by their command line, which is the same as the supervisor's.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from norn_tasks.embedded.lock import holder
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.supervision.supervisor import SUPERVISE

PATIENCE = 45.0
"""Seconds that a worker may take to hand back its jobs."""


def leftovers(where: DataPaths) -> Iterator[int]:
    """Yields the pids of running processes that a supervisor of this data directory started."""
    known = holder(where.lock)
    others = {os.getpid(), known.pid if known else 0}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in others and _is_ours(entry, where):
            yield int(entry.name)


def _is_ours(entry: Path, where: DataPaths) -> bool:
    mark = f"SUPERVISOR_SERVER_URL=unix://{where.control}"
    try:
        return mark in _words(entry / "environ") or _is_fork(_words(entry / "cmdline"), str(where.configuration))
    except OSError:
        return False


def _is_fork(command: list[str], configuration: str) -> bool:
    """Returns True for the command line of the supervisor and its forks, but not for the command line of an editor that
    has opened the file.
    """
    return command[-1:] == [configuration] and SUPERVISE in command


def _words(file: Path) -> list[str]:
    return os.fsdecode(file.read_bytes()).rstrip("\0").split("\0")


def end(where: DataPaths, patience: float = PATIENCE) -> int:
    """Waits until these processes have ended, and kills those that still run after `patience` seconds; returns how many
    there were at first.
    """
    count = len(list(leftovers(where)))
    deadline = time.monotonic() + patience
    while left := list(leftovers(where)):
        if time.monotonic() > deadline:
            _send(left, signal.SIGKILL)
        time.sleep(0.2)
    return count


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
