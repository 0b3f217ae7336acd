"""The cgroups of the sandboxes, which are children of the nest's own cgroup; supports versions 1 and 2.

The engine mounts the cgroups read-only into the nest container, and the nest remounts them writable. So it needs no
directory of the machine, and the engine removes all these cgroups together with the nest. The nest makes this mount
writable, so it needs no directory of the machine, and the engine removes all these cgroups with the nest.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from norn_tasks.adapters.nest.program import kernel

ROOT = Path("/sys/fs/cgroup")
PARENT = "/nest"
"""The parent of the sandboxes' cgroups, below the nest's own."""
_CONTROLLERS = ("cpu", "memory", "pids", "io", "cpuset")
_ACCOUNTING = ("memory", "cpuacct")


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
    parents = [ROOT] if is_v2() else [each for each in ROOT.iterdir() if each.is_dir() and not each.is_symlink()]
    gone = True
    for parent in parents:
        try:
            (parent / PARENT.strip("/") / name).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            gone = False
    return gone


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
