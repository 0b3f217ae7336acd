"""Measures the free space of this worker's disks: the disk of its workspace, and the engine's disk if the worker can
see it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.domain.disk import DATA, ENGINE, Space, amount
from norn_tasks.domain.errors import DiskFull

_LOOK_SECONDS = 1.0
ROOT_SECONDS = 120.0
"""Seconds for which the path of the engine's directory is remembered, because the engine counts all its objects to
report it.
"""


class EngineDisks:
    """Measures the free space of this worker's disks repeatedly."""

    def __init__(self, engine: EngineClient, workspace: Path) -> None:
        self._engine, self._workspace = engine, workspace
        self._root, self._asked = "", float("-inf")

    def look(self) -> tuple[Space, ...]:
        """Returns the free space of the disks, like `spaces`; raises EngineDown."""
        if time.monotonic() - self._asked > ROOT_SECONDS:
            self._root, self._asked = root(self._engine), time.monotonic()
        return _spaces(self._root, self._workspace)


def root(engine: EngineClient) -> str:
    """Returns the directory in which the engine keeps its data, empty if the engine does not report it; raises
    EngineDown.
    """
    return str(engine.briefly(lambda client: client.info()).get("DockerRootDir") or "")


def spaces(engine: EngineClient, workspace: Path) -> tuple[Space, ...]:
    """Returns the free space of the disks; raises EngineDown.

    The engine's disk is left out if it is in another mount namespace or on another machine.
    """
    return _spaces(root(engine), workspace)


def _spaces(root: str, workspace: Path) -> tuple[Space, ...]:
    seen = (space(DATA, workspace), space(ENGINE, Path(root)) if root and _is_there(Path(root)) else None)
    return tuple(each for each in seen if each is not None)


def space(use: str, path: Path) -> Space | None:
    """Returns the free space of the disk that holds, or will hold, a path; None if it cannot be measured."""
    there = next((each for each in (path, *path.parents) if _is_there(each)), None)
    if there is None:
        return None
    try:
        found = os.statvfs(there)
    except OSError:
        return None
    return Space(use, str(path), found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


class DiskGuard:
    """Checks during a build that each of these disks still has at least `least` free bytes."""

    def __init__(self, disks: Iterable[Space], least: int) -> None:
        self._disks, self._least = tuple(disks), least
        self._due = 0.0

    def check(self) -> None:
        """Raises DiskFull if a disk has too little free space; measures at most once per second."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _LOOK_SECONDS
        for now in (space(each.use, Path(each.path)) for each in self._disks):
            if now is not None and now.free < self._least:
                kept = f"{amount(self._least)} stay free (NORN_DISK_BUILD_FREE)"
                raise DiskFull(f"the build was ended: {amount(now.free)} free in {now.path}, and {kept}", hint=now.hint)


def _is_there(directory: Path) -> bool:
    """Returns True if this process can see the directory; another user's engine may hide its directory."""
    try:
        return directory.is_dir()
    except OSError:
        return False
