"""Measures the free space of this worker's disks: the workspace's disk, and the engine's if the worker can see it."""

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
"""Seconds for which an engine's directory is remembered: to report it, the engine counts all its objects."""


class EngineDisks:
    """The free space of this worker's disks, measured repeatedly; the engine's directory is remembered for a while."""

    def __init__(self, engine: EngineClient, workspace: Path) -> None:
        self._engine, self._workspace = engine, workspace
        self._root, self._asked = "", float("-inf")

    def look(self) -> tuple[Space, ...]:
        """Returns the free space of the disks, as `spaces` does; raises EngineDown."""
        if time.monotonic() - self._asked > ROOT_SECONDS:
            self._root, self._asked = root(self._engine), time.monotonic()
        return _spaces(self._root, self._workspace)


def root(engine: EngineClient) -> str:
    """Returns the engine's directory, empty if the engine does not name it; raises EngineDown."""
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
    """Returns the free space of the disk on which a path is or will be; None if it cannot be measured."""
    there = next((each for each in (path, *path.parents) if _is_there(each)), None)
    if there is None:
        return None
    try:
        found = os.statvfs(there)
    except OSError:
        return None
    return Space(use, str(path), found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


class DiskGuard:
    """Checks during a build that each of these disks still has `least` bytes free."""

    def __init__(self, disks: Iterable[Space], least: int) -> None:
        self._disks, self._least = tuple(disks), least
        self._due = 0.0

    def check(self) -> None:
        """Raises DiskFull when a disk has less free space; measures at most once a second."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _LOOK_SECONDS
        for now in (space(each.use, Path(each.path)) for each in self._disks):
            if now is not None and now.free < self._least:
                kept = f"{amount(self._least)} stay free (NORN_DISK_BUILD_FREE)"
                raise DiskFull(f"the build was ended: {amount(now.free)} free in {now.path}, and {kept}", hint=now.hint)


def _is_there(directory: Path) -> bool:
    """Returns True if this user can see the directory; the root of another user's engine may not be visible."""
    try:
        return directory.is_dir()
    except OSError:
        return False
