"""Directories and files that only their owner can read, no matter what the umask of the process is."""

from __future__ import annotations

import os
from pathlib import Path


def make_directory(path: Path) -> None:
    """Creates a directory and its parent, if they are missing."""
    for each in (path.parent, path):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)


def opener(path: str, flags: int) -> int:
    """Opens a file that only its owner can read, and returns the descriptor; used as the parameter `opener` of
    `open`.
    """
    return os.open(path, flags, 0o600)
