"""Processes that are measured: each has a log of its own, their CPU time is read from /proc, and all are ended
together.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Returns the CPU time, user and system, of a process, of its children that ended, and of those that live."""
    return sum(own_seconds(each) for each in (pid, *descendants(pid)))


def own_seconds(pid: int) -> float:
    """Returns the CPU time, user and system, of a process and of its children that ended; 0 for a process that
    is gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # proc_pid_stat(5): utime, stime, cutime, cstime are fields 14 to 17, of which 3 is the first after the name.
    return sum(int(value) for value in fields[11:15]) / _TICK


def descendants(pid: int) -> Iterator[int]:
    """Yields the pids of the children of a process, of their children, and so on."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in map(int, children):
        yield child
        yield from descendants(child)


class Program:
    """A process of the benchmark's own."""

    def __init__(self, argv: Sequence[str], home: Path, name: str, environment: Mapping[str, str]) -> None:
        with (home / f"{name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdout=log, stderr=log, cwd=home, env=dict(environment), start_new_session=True
            )

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """True if it has ended."""
        return self._process.poll() is not None

    def wait(self) -> int:
        """Waits until the process has ended, and returns its exit code."""
        return self._process.wait(60)

    def kill(self) -> None:
        """Ends it and its children with SIGKILL."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        """Sends the process SIGTERM, and kills it if it has not ended after 20 s."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGCONT)
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self._process.wait(10)
