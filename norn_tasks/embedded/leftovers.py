"""Processes of a supervisor that died: they were told to stop by the kernel, and are waited for, then killed.

They are known by the address of our control socket in their environment, which supervisor puts there.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from norn_tasks.embedded.places import Places

PATIENCE = 45.0
"""A worker may take this long to hand back what it does, seconds."""


def leftovers(where: Places) -> Iterator[int]:
    """Answers the pids of living processes that a supervisor of these places started."""
    mark = f"SUPERVISOR_SERVER_URL=unix://{where.control}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:
            continue


def end(where: Places, patience: float = PATIENCE) -> int:
    """Waits until every leftover is gone, and kills those that stay; answers how many there were."""
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
