"""Calls the program crun, which creates the namespaces of a sandbox and starts its first process."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

from norn_tasks.adapters.nest.program import cgroups, kernel

_PROGRAM = "/usr/bin/crun"
_STATE, _MOUNTED = Path("/run/nest/crun"), Path("/run/nest/crun-program")
_NOT_FOUND, _NOT_EXECUTABLE, _INFRASTRUCTURE = 127, 126, 125
_NOT_FOUND_WORDS = ("No such file", "not found")
_NOT_EXECUTABLE_WORDS = ("ermission denied", "xec format", "Is a directory")
_awaited: set[int] = set()
"""The processes that are not reaped as orphans, because a thread waits for their end: launchers, and the first
processes of sandboxes.
"""


class SandboxNotStarted(Exception):
    """Raised when a sandbox could not be started; `code` is the exit code that a container engine would return."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.code = _INFRASTRUCTURE
        if any(word in said for word in _NOT_FOUND_WORDS):
            self.code = _NOT_FOUND
        elif any(word in said for word in _NOT_EXECUTABLE_WORDS):
            self.code = _NOT_EXECUTABLE


def prepare() -> None:
    """Mounts the program read-only, and starts to reap orphaned processes; raises OSError.

    From a file that no sandbox can write to, crun starts without copying itself into memory first.
    """
    _MOUNTED.touch()
    kernel.mount(_PROGRAM, str(_MOUNTED), "", kernel.BIND)
    flags = kernel.REMOUNT | kernel.BIND | kernel.READ_ONLY | kernel.NO_SUID | kernel.NO_DEVICES
    kernel.mount("", str(_MOUNTED), "", flags)
    threading.Thread(target=_reap_often, daemon=True).start()


def command(name: str, bundle: Path) -> list[str]:
    """Returns the command that starts the sandbox of a bundle, and ends when the sandbox's first process runs."""
    log, pid = str(bundle / "log"), str(bundle / "pid")
    return [*_command(), "--log", log, "run", "-d", "-b", str(bundle), "--pid-file", pid, name]


def require_success(status: int, bundle: Path) -> None:
    """Raises SandboxNotStarted, with crun's message, if crun ended with an error."""
    if status:
        log = bundle / "log"
        raise SandboxNotStarted(
            (log.read_text(errors="replace").strip() if log.exists() else "") or "crun said nothing"
        )


def first_process(bundle: Path) -> int:
    """Returns the pid of the first process of a sandbox that was started, and notes that a run waits for its end."""
    first = int((bundle / "pid").read_text())
    await_end_of(first)
    return first


def await_end_of(process: int) -> None:
    """Notes that something waits for the end of this process, so that it is not reaped as an orphan."""
    _awaited.add(process)


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
    return [str(_MOUNTED), "--root", str(_STATE), "--cgroup-manager", cgroups.manager()]
