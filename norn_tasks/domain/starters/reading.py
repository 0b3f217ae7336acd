"""Reads the small files of a directory, by which the kind of its project is recognised. Skips dependencies and
tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from norn_tasks.domain.starters.project import Directory

_LEFT_OUT = {"node_modules", "vendor", "__pycache__", "venv", "target", "tests", "test"}
_LARGEST = 64 * 1024
_MOST = 400
_DEPTH = 2


def read_directory(directory: Path) -> Directory:
    """Returns the files of a directory; no files if the directory does not exist."""
    texts: dict[str, str] = {}
    for path in _files(directory, _DEPTH) if directory.is_dir() else ():
        if len(texts) >= _MOST:
            break
        if path.stat().st_size <= _LARGEST:
            texts[path.relative_to(directory).as_posix()] = path.read_text("utf-8", "replace")
    return Directory(texts)


def _files(directory: Path, depth: int) -> Iterator[Path]:
    entries = sorted(directory.iterdir())
    yield from (entry for entry in entries if entry.is_file())
    for entry in entries:
        if depth and entry.is_dir() and entry.name not in _LEFT_OUT and not entry.name.startswith("."):
            yield from _files(entry, depth - 1)
