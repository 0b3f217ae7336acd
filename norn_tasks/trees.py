"""Removes directory trees of any depth, because `shutil.rmtree` of Python 3.11 raises RecursionError for very deep
ones.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path


def remove(tree: Path) -> None:
    """Removes a directory with everything in it, no matter how deep it is, and ignores errors.

    Each directory is first moved up to the root of the tree, so that no path gets long. Links are not followed.
    """
    if tree.is_symlink():
        return
    mark = uuid.uuid4().hex
    left = _without_files(tree)
    moved = 0
    while left:
        directory = left.pop()
        for below in _without_files(directory):
            moved += 1
            up = tree / f".{mark}-{moved}"
            with contextlib.suppress(OSError):
                below.rename(up)
                left.append(up)
        with contextlib.suppress(OSError):
            directory.rmdir()
    with contextlib.suppress(OSError):
        tree.rmdir()


def _without_files(directory: Path) -> list[Path]:
    """Removes everything directly inside a directory except its subdirectories, and returns the subdirectories."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        found = list(entries)
        for each in found:
            if not each.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    Path(each.path).unlink()
        return [Path(each.path) for each in found if each.is_dir(follow_symlinks=False)]
    return []
