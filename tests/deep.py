"""Makes directories that are nested deeper than the longest allowed path."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def deep(tree: Path, levels: int) -> Iterator[Path]:
    """Makes a directory with `levels` nested directories and a file in the last one; removes all after the block."""
    tree.mkdir(parents=True)
    here = os.open(tree, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    try:
        yield tree
    finally:
        # pytest cannot remove such a directory, and would fail in every later run.
        subprocess.run(["rm", "-rf", str(tree)], check=True)
