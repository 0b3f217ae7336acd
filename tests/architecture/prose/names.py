"""Finds class names that are used more than once across the three packages and have no row in docs/glossary.md."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.architecture.prose.text import read
from tests.architecture.source import ROOT


def plain(name: str) -> str:
    """Returns the form in which class names and words of the glossary are compared: `OneOff` and "one-off" have the
    same one.
    """
    return re.sub(r"\W", "", name).lower()


def glossary() -> frozenset[str]:
    """Returns the words that have a row in the glossary."""
    page = ROOT / "docs" / "glossary.md"
    rows = re.findall(r"^\| \*\*([^*|]+)\*\* \|", page.read_text(), re.MULTILINE)
    return frozenset(plain(row) for row in rows)


def doubled(paths: Iterable[Path], listed: frozenset[str]) -> Iterator[tuple[Path, int, str]]:
    """Yields each definition of a class whose name another class has too, unless the glossary lists it."""
    places: dict[str, list[tuple[Path, int]]] = defaultdict(list)
    for path in paths:
        for name, line in read(path).classes:
            places[name].append((path, line))
    for name, found in sorted(places.items()):
        if len(found) > 1 and plain(name) not in listed:
            yield from ((path, line, name) for path, line in found)
