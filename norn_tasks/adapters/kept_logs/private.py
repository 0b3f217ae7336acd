"""Directories and files that only their owner can read, whatever the umask of the process."""

from __future__ import annotations

import os
from pathlib import Path


def make_directory(path: Path) -> None:
    """Makes a directory and its parent, if they are missing."""
    for each in (path.parent, path):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)


def opener(path: str, flags: int) -> int:
    """Opens a file for the built-in `open`, as its parameter `opener`."""
    return os.open(path, flags, 0o600)
