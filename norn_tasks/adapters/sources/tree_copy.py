"""Copies a source tree (links as links), and computes its revision from its content. The copy has limits, because the
tree is not trusted.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from norn_tasks.domain.errors import SourceError
from norn_tasks.domain.sources.source_tree import DEEPEST, LEFT_OUT, EntryKind, TreeDigest
from norn_tasks.ports import Watch

_PIECE = 1024 * 1024
"""The bytes that are copied in one step."""


@dataclass
class TreeCopy:
    """One copy from `origin` to `into`; `most` bytes and `most_files` entries are its limits."""

    origin: Path
    into: Path
    most: int
    most_files: int
    watch: Watch
    _size: int = 0
    _files: int = 0
    _digest: TreeDigest = field(default_factory=TreeDigest)

    def copy(self) -> str:
        """Copies the tree, and returns the SHA-256 (hex) over its paths, kinds, executable bits and contents.

        Raises SourceError if a limit is exceeded or a file cannot be read.
        """
        try:
            for entry in self._entries(self.origin):
                self.watch.stop.check()
                self._count(0, 1)
                self._one(entry)
        except OSError as error:
            raise SourceError(
                f"{error.filename or self.origin} cannot be read: {error.strerror}",
                hint="the worker's user must be able to read the whole directory",
            ) from error
        return self._digest.hexdigest()

    def _entries(self, directory: Path) -> Iterator[os.DirEntry[str]]:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name == LEFT_OUT:
                    continue
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    yield from self._entries(Path(entry.path))

    def _one(self, entry: os.DirEntry[str]) -> None:
        path = Path(entry.path).relative_to(self.origin)
        if len(path.parts) > DEEPEST:
            raise SourceError(
                f"{self.origin} has files more than {DEEPEST} directories deep",
                hint="move them up, or leave them out of the directory",
            )
        target = self.into / path
        if entry.is_symlink():
            leads_to = Path(entry.path).readlink()
            target.symlink_to(leads_to)
            self._digest.add(path, EntryKind.LINK, hashlib.sha256(os.fsencode(leads_to)).hexdigest())
        elif entry.is_dir(follow_symlinks=False):
            target.mkdir()
            self._digest.add(path, EntryKind.DIRECTORY)
        elif entry.is_file(follow_symlinks=False):
            runs, content = self._file(entry.path, target)
            self._digest.add(path, EntryKind.PROGRAM if runs else EntryKind.FILE, content)
        else:
            self.watch.say(f"{path} is neither file, directory nor link, and is left out\n")

    def _file(self, path: str, target: Path) -> tuple[bool, str]:
        """Copies a file; returns whether the file is executable, and the hash of its content."""
        content = hashlib.sha256()
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as source:
            runs = bool(os.fstat(source.fileno()).st_mode & stat.S_IXUSR)
            with target.open("wb") as copied:
                while piece := source.read(_PIECE):
                    self.watch.stop.check()
                    self._count(len(piece), 0)
                    content.update(piece)
                    copied.write(piece)
        target.chmod(0o755 if runs else 0o644)
        return runs, content.hexdigest()

    def _count(self, size: int, files: int) -> None:
        self._size += size
        self._files += files
        if self._size > self.most or self._files > self.most_files:
            raise SourceError(
                f"{self.origin} is larger than {self.most // 2**20} MiB or {self.most_files} files",
                hint="keep large files elsewhere, or raise NORN_SOURCE_MAX",
            )
