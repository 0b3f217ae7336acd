"""The tree of a source: how large one may be, and what names it. Places that hold the same tree name it alike."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum

MOST_FILES = 50_000
"""Entries that a source may have."""

LEFT_OUT = ".git"
"""No part of a source, wherever it stands."""

UPLOADED = r"src-[0-9a-f]{12}"
"""The revision of an uploaded source, as a pattern."""


class Kind(StrEnum):
    """What an entry is. The values are part of the tree's name: they never change."""

    DIRECTORY = "d"
    FILE = "f"
    PROGRAM = "x"
    LINK = "l"


class TreeDigest:
    """Gathers what a tree holds: the paths, kinds and contents of its entries, in any order."""

    def __init__(self) -> None:
        self._said: list[bytes] = []

    def add(self, path: str | os.PathLike[str], kind: Kind, content: str = "") -> None:
        """Takes an entry; `content` is the SHA-256 (hex) of a file's bytes or of where a link leads."""
        # NUL cannot be in a path, so no two trees say the same.
        self._said.append(b"\0".join((os.fsencode(path), kind.encode(), content.encode())))

    def hexdigest(self) -> str:
        """Answers the SHA-256 of all of it."""
        return hashlib.sha256(b"\n".join(sorted(self._said))).hexdigest()


@dataclass(frozen=True)
class Tree:
    """A tree that was read: its whole name, how many entries it has, how many bytes its files hold."""

    digest: str
    files: int
    size: int

    @property
    def revision(self) -> str:
        """What it is called as an uploaded source."""
        return f"src-{self.digest[:12]}"
