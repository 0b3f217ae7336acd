"""The file tree of a source: its limits, and its digest, which is the same on every machine."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum

MOST_FILES = 50_000
"""The largest number of entries of a source."""

DEEPEST = 64
"""The most names in the path of an entry."""

LEFT_OUT = ".git"
"""The name of entries, in any directory, that are not part of a source."""

UPLOADED = r"src-[0-9a-f]{12}"
"""The revision of an uploaded source, as a pattern."""


class EntryKind(StrEnum):
    """The kind of an entry. The values are part of the tree's digest, so they must never change."""

    DIRECTORY = "d"
    FILE = "f"
    PROGRAM = "x"
    LINK = "l"


class TreeDigest:
    """Computes the digest of a tree from the paths, kinds and contents of its entries, in any order."""

    def __init__(self) -> None:
        self._said: list[bytes] = []

    def add(self, path: str | os.PathLike[str], kind: EntryKind, content: str = "") -> None:
        """Adds an entry; `content` is the SHA-256 (hex) of a file's bytes or of a link's target."""
        # A path cannot contain NUL, so two different trees never give the same bytes.
        self._said.append(b"\0".join((os.fsencode(path), kind.encode(), content.encode())))

    def hexdigest(self) -> str:
        """Returns the SHA-256 of the whole tree."""
        return hashlib.sha256(b"\n".join(sorted(self._said))).hexdigest()


@dataclass(frozen=True)
class Tree:
    """A tree that was read: its full digest, its number of entries, and the total bytes of its files."""

    digest: str
    files: int
    size: int

    @property
    def revision(self) -> str:
        """The revision of the tree as an uploaded source."""
        return f"src-{self.digest[:12]}"
