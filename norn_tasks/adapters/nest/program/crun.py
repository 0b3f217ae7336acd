"""Calls the program crun, which creates the namespaces of a sandbox and starts its first process."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_PROGRAM = "/usr/bin/crun"
_STATE = Path("/run/nest/crun")
_NOT_FOUND, _NOT_EXECUTABLE, _INFRASTRUCTURE = 127, 126, 125
_NOT_FOUND_WORDS = ("No such file", "not found")
_NOT_EXECUTABLE_WORDS = ("ermission denied", "xec format", "Is a directory")
_awaited: set[int] = set()
"""The pids of the first processes of sandboxes. The run of each sandbox waits for the end of its own."""


class SandboxNotStarted(Exception):
    """Raised when a sandbox could not be started; `code` is the exit code that a container engine would return."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.code = _INFRASTRUCTURE
        if any(word in said for word in _NOT_FOUND_WORDS):
            self.code = _NOT_FOUND
        elif any(word in said for word in _NOT_EXECUTABLE_WORDS):
            self.code = _NOT_EXECUTABLE


def start(bundle: Path, name: str, streams: Sequence[int]) -> int:
    """Starts a sandbox with these descriptors as its streams, and returns the pid of its first process."""
    log, pid = bundle / "log", bundle / "pid"
    words = ["--log", str(log), "run", "-d", "-b", str(bundle), "--pid-file", str(pid), name]
    stdin, stdout, stderr = streams
    ended = subprocess.run([*_command(), *words], stdin=stdin, stdout=stdout, stderr=stderr, check=False)
    if ended.returncode:
        raise SandboxNotStarted(log.read_text(errors="replace").strip() if log.exists() else "crun said nothing")
    first = int(pid.read_text())
    _awaited.add(first)
    return first


def wait(first: int) -> int:
    """Waits for the end of a first process, and returns its wait status.

    Immediately after the start, the process is still a child of crun; it becomes a child of this process when crun
    ends.
    """
    try:
        while True:
            try:
                return os.waitpid(first, 0)[1]
            except ChildProcessError:
                if not Path(f"/proc/{first}").exists():
                    raise
                time.sleep(0.0005)
    finally:
        _awaited.discard(first)


def forget(name: str) -> None:
    """Removes crun's files about a sandbox whose processes have all ended. This is faster than calling crun."""
    shutil.rmtree(_STATE / name, ignore_errors=True)


def delete(name: str) -> None:
    """Ends and removes a sandbox, even an incomplete one; does nothing if it does not exist."""
    subprocess.run([*_command(), "delete", "-f", name], stderr=subprocess.DEVNULL, check=False)
    shutil.rmtree(_STATE / name, ignore_errors=True)


def reap_strangers() -> None:
    """Starts a thread that reaps orphaned processes of sandboxes, for whose end no run waits."""
    threading.Thread(target=_reap_often, daemon=True).start()


def _reap_often() -> None:
    before: set[int] = set()
    while True:
        time.sleep(1)
        dead = set(_zombies())
        for each in (dead & before) - _awaited:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(each, os.WNOHANG)
        before = dead


def _zombies() -> list[int]:
    own, found = str(os.getpid()), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
                if (state, parent) == ("Z", own):
                    found.append(int(entry.name))
    return found


def _command() -> list[str]:
    return [_PROGRAM, "--root", str(_STATE), "--cgroup-manager", "cgroupfs"]
