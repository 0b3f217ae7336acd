"""Identifies a process across machines and containers, and finds out whether such a process has ended.

A pid alone does not identify a process: each container has its own pids, and often the same ones after a restart. A
process can ask the kernel whether another one lives, if both are on the same machine and in the same pid namespace. It
cannot find this out about other processes.
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_ENDED = ("Z", "X")


@dataclass(frozen=True)
class ProcessId:
    """A process: the boot id of its machine, its pid namespace, its pid, and the kernel's time at which it started."""

    boot: str
    namespace: str
    pid: int
    started: str

    @classmethod
    def own(cls) -> ProcessId:
        """Returns the identity of this process; on a system without /proc, a random one."""
        try:
            boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
            namespace = str((_PROC / "self/ns/pid").stat().st_ino)
        except OSError:
            return cls(secrets.token_hex(8), "", os.getpid(), "")
        return cls(boot, namespace, os.getpid(), _start(os.getpid()) or "")

    @classmethod
    def parse(cls, text: str) -> ProcessId | None:
        """Parses an identity; returns None for a text that an older version wrote."""
        parts = text.split("/")
        return cls(parts[0], parts[1], int(parts[2]), parts[3]) if len(parts) == 4 else None

    def __str__(self) -> str:
        return f"{self.boot}/{self.namespace}/{self.pid}/{self.started}"

    def knows_ended(self, other: ProcessId) -> bool:
        """Returns True if this process can see that the other one has ended; otherwise False."""
        here = (self.boot, self.namespace) == (other.boot, other.namespace) and bool(self.started)
        return here and _start(other.pid) != other.started


def _start(pid: int) -> str | None:
    """Returns the kernel's time at which a process started; None if it has ended."""
    try:
        state, *fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in _ENDED else fields[18]


def unique_name(kind: str) -> str:
    """Returns a name that no other worker of this kind has, not even on a copy of this machine."""
    return f"{kind}-{secrets.token_hex(3)}@{socket.gethostname()}"
