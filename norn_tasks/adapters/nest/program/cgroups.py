"""The cgroups of the sandboxes, which are children of the nest's own cgroup; supports versions 1 and 2.

The engine mounts the cgroups read-only into the nest container, and the nest remounts them writable. So the nest needs
no directory of the machine, and the engine removes all these cgroups together with the nest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path
from typing import Any

from norn_tasks.adapters.nest.program import kernel

ROOT = Path("/sys/fs/cgroup")
PARENT = "/nest"
"""The parent of the sandboxes' cgroups, below the nest's own."""
_CONTROLLERS = ("cpu", "memory", "pids", "io", "cpuset")
_ACCOUNTING = ("memory", "cpuacct")
_DEVICES = (
    "c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm",
    "c 5:2 rwm", "c 136:* rwm",
)  # fmt: skip
"""The devices that a container may use: null, zero, full, random, urandom, and terminals."""
_ENDING = 0.2
"""The most seconds to wait for crun's own processes, which leave a cgroup a little later than the sandbox's
processes.
"""


def is_v2() -> bool:
    """Returns True if the machine has only cgroup version 2."""
    return (ROOT / "cgroup.controllers").exists()


def prepare() -> None:
    """Prepares the cgroups for sandboxes; raises OSError."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        at, kind, options = line.split()[1:4]
        if kind in ("cgroup", "cgroup2") and "ro" in options.split(","):
            flags = kernel.REMOUNT | kernel.BIND | kernel.NO_SUID | kernel.NO_DEVICES | kernel.NO_EXEC
            kernel.mount("", at, "", flags)
    if is_v2():
        _delegate()
    else:
        kernel.unmount(str(ROOT / "unified"))  # crun does not support both versions at once
        for each in _hierarchies():
            _made(each / PARENT.strip("/"))


def _delegate() -> None:
    """Moves the nest itself into a leaf cgroup, and enables the controllers for the cgroups of the sandboxes."""
    leaf = ROOT / "init"
    leaf.mkdir(exist_ok=True)
    for process in (ROOT / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):  # the process has ended
            (leaf / "cgroup.procs").write_text(process)
    parent = ROOT / PARENT.strip("/")
    parent.mkdir(exist_ok=True)
    for directory in (ROOT, parent):
        for name in (directory / "cgroup.controllers").read_text().split():
            if name in _CONTROLLERS:
                (directory / "cgroup.subtree_control").write_text(f"+{name}")


def manager() -> str:
    """Returns the value of crun's option `--cgroup-manager`: with version 1, crun leaves the cgroups to the nest."""
    return "cgroupfs" if is_v2() else "disabled"


def make(name: str) -> bool:
    """Makes the cgroups of a sandbox in advance; returns False on version 2, where crun makes them. Raises OSError."""
    if is_v2():
        return False
    for each in _hierarchies():
        directory = each / PARENT.strip("/") / name
        _made(directory)
        if each.name == "devices":
            _write(directory / "devices.deny", "a")
            for device in _DEVICES:
                _write(directory / "devices.allow", device)
    return True


def limit(name: str, resources: dict[str, Any]) -> None:
    """Sets the limits of a sandbox whose cgroups were made in advance; does nothing on version 2. Raises OSError."""
    if is_v2():
        return
    memory, cpu, pids = (ROOT / each / PARENT.strip("/") / name for each in ("memory", "cpu", "pids"))
    _write(memory / "memory.limit_in_bytes", resources["memory"]["limit"])
    _write(memory / "memory.memsw.limit_in_bytes", resources["memory"]["swap"])
    _write(cpu / "cpu.cfs_period_us", resources["cpu"]["period"])
    _write(cpu / "cpu.cfs_quota_us", resources["cpu"]["quota"])
    _write(pids / "pids.max", resources["pids"]["limit"])


def _made(directory: Path) -> None:
    """Makes a cgroup of version 1. Before a process can enter a cgroup of `cpuset`, the cgroup must name processors and
    memory.
    """
    directory.mkdir(exist_ok=True)
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (directory / name).exists():
            _write(directory / name, (directory.parent / name).read_text().strip())


def _hierarchies() -> list[Path]:
    return [each for each in ROOT.iterdir() if each.is_dir() and not each.is_symlink() and each.name != "unified"]


def _write(file: Path, value: object) -> None:
    descriptor = os.open(file, os.O_WRONLY)
    try:
        os.write(descriptor, str(value).encode())
    finally:
        os.close(descriptor)


def account(name: str) -> dict[str, Any]:
    """Returns the resources that a sandbox used. It must be called after the sandbox's last process has ended, and
    before the cgroups are removed.
    """
    if is_v2():
        directory = ROOT / PARENT.strip("/") / name
        events, times = _table(directory / "memory.events"), _table(directory / "cpu.stat")
        peak, cpu = _number(directory / "memory.peak"), times.get("usage_usec", 0)
        return {"oom_kills": events.get("oom_kill", 0), "peak": peak, "cpu_us": cpu}
    memory, cpus = (ROOT / each / PARENT.strip("/") / name for each in _ACCOUNTING)
    kills = _table(memory / "memory.oom_control").get("oom_kill", 0)
    peak = _number(memory / "memory.max_usage_in_bytes")
    return {"oom_kills": kills, "peak": peak, "cpu_us": _number(cpus / "cpuacct.usage") // 1000}


def remove(name: str) -> bool:
    """Removes the cgroups of a sandbox; returns False if one could not be removed."""
    gone = True
    for parent in [ROOT] if is_v2() else _hierarchies():
        directory = parent / PARENT.strip("/") / name
        gone = _is_removed(directory) and gone
    return gone


def _is_removed(directory: Path) -> bool:
    until = time.monotonic() + _ENDING
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > until:
                return False
            time.sleep(0.001)  # a process of crun is still ending
        else:
            return True


def _table(file: Path) -> dict[str, int]:
    try:
        rows = (line.split() for line in file.read_text().splitlines())
        return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}
    except OSError:
        return {}


def _number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0
