"""Positions in an infraspec: paths of keys and indexes, and the line and column of each path in the file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum, auto

from norn_tasks.domain.errors import Mistake
from norn_tasks.domain.wording import shown

Path = tuple[str | int, ...]

FILE_ITSELF: Path = ("yaml",)
"""The field name of a mistake that is about the complete file."""


class At(Enum):
    """The part of a field to which a mistake points: its key or its value."""

    KEY = auto()
    VALUE = auto()


@dataclass(frozen=True)
class Spot:
    """A position in a file: line and column, counted from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True)
class Finding:
    """A mistake in a field. Its position in the file is looked up later."""

    path: Path
    message: str
    hint: str = ""
    at: At = At.VALUE
    seen_at: Path | None = None
    """Another field to which the mistake points, if its own field is not in the file."""
    given: tuple[Path, ...] = ()
    """Fields that must be valid; otherwise the mistake may be wrong, and is not reported."""


@dataclass(frozen=True)
class SourceMap:
    """The position of every key and of every value of one file."""

    file: str
    keys: dict[Path, Spot] = field(default_factory=dict)
    values: dict[Path, Spot] = field(default_factory=dict)

    def mistake(self, finding: Finding) -> Mistake:
        """Returns the mistake with its position in the file."""
        spot = self._spot(finding.path if finding.seen_at is None else finding.seen_at, finding.at)
        return Mistake(self.file, spot.line, spot.column, dotted(finding.path), finding.message, finding.hint)

    def _spot(self, path: Path, at: At) -> Spot:
        first, second = (self.keys, self.values) if at is At.KEY else (self.values, self.keys)
        return first.get(path) or second.get(path) or Spot()


def dotted(path: Path) -> str:
    """Returns a path as people write it: `volumes[0].mountPath`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _tame(part) else shown(part))
    return text


def beneath(path: Path, roots: Collection[Path]) -> bool:
    """Returns True if a path is one of `roots`, or inside one."""
    return any(path[:length] in roots for length in range(len(path) + 1))


def _tame(part: str) -> bool:
    return part.isprintable() and 0 < len(part) <= 60 and not set(part) & set(' :.[]"\\')
