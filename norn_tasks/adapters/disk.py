"""Looks how much room the disks of this worker have: that of its workspace, and the engine's when it can be seen."""

from __future__ import annotations

import os
from pathlib import Path

from norn_tasks.adapters.engine import Engine
from norn_tasks.domain.disk import DATA, ENGINE, Space


def spaces(engine: Engine, workspace: Path) -> tuple[Space, ...]:
    """Answers what is free; the engine's disk is left out when it is in another mount namespace or on another machine.

    Raises EngineDown.
    """
    root = str(engine.briefly(lambda client: client.info()).get("DockerRootDir") or "")
    seen = (space(DATA, workspace), space(ENGINE, Path(root)) if root and _is_there(Path(root)) else None)
    return tuple(each for each in seen if each is not None)


def space(use: str, path: Path) -> Space | None:
    """Answers what is free where a path is or will be; None when nobody can tell."""
    there = next((each for each in (path, *path.parents) if _is_there(each)), None)
    if there is None:
        return None
    try:
        found = os.statvfs(there)
    except OSError:
        return None
    return Space(use, str(path), found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


def _is_there(directory: Path) -> bool:
    """False also for what this user may not even look at: the engine of another user keeps its root closed."""
    try:
        return directory.is_dir()
    except OSError:
        return False
