"""Finds a pushed file that matches a pattern of `repo.paths`.

`*`, `?` and `[a-z]` match characters of one name, and `**` matches any number of directories. A pattern that names a
directory matches everything in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase


def first_touched(patterns: Sequence[str], paths: Iterable[str]) -> str | None:
    """Returns the first of the paths that one of the patterns matches; None if none does."""
    split = [tuple(part for part in pattern.split("/") if part not in ("", ".")) for pattern in patterns]
    return next((path for path in paths if any(_matches(each, path.split("/")) for each in split)), None)


def _matches(pattern: tuple[str, ...], path: Sequence[str]) -> bool:
    """Compares the path with the pattern, name by name, and tracks every position in the pattern that may be
    reached.
    """
    end, reached = len(pattern), _beyond_stars(pattern, {0})
    for name in path:
        if end in reached:
            return True
        steps = {at: pattern[at] for at in reached}
        stay = {at for at, part in steps.items() if part == "**"}
        move = {at + 1 for at, part in steps.items() if fnmatchcase(name, part)}
        reached = _beyond_stars(pattern, stay | move)
    return end in reached


def _beyond_stars(pattern: tuple[str, ...], reached: set[int]) -> set[int]:
    """Adds the position after each reached `**`, because `**` may match no directory. At the end of a pattern, `**`
    matches at least one name.
    """
    found = set(reached)
    for at in reached:
        while at < len(pattern) - 1 and pattern[at] == "**":
            at += 1
            found.add(at)
    return found
