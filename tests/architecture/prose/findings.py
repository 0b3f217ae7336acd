"""Collects every finding of every rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.architecture.prose.files import missing
from tests.architecture.prose.names import doubled, glossary
from tests.architecture.prose.rules import BLOCK, FIRST, IN_MESSAGES, RULES, VERB, Rule
from tests.architecture.prose.text import Kind, Prose, read
from tests.architecture.source import ROOT

MISSING, DOUBLED = "missing file", "doubled class"


@dataclass(frozen=True)
class Finding:
    """A breach of one rule: where it is, what was found, and what to write instead."""

    path: Path
    line: int
    rule: str
    found: str
    instead: str

    @cached_property
    def place(self) -> str:
        """The path from the root."""
        return str(self.path).removeprefix(f"{ROOT}/")

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: [{self.rule}] …{self.found}… → {self.instead}"


def _rules_of(prose: Prose) -> Iterator[Rule]:
    yield from IN_MESSAGES if prose.kind is Kind.MESSAGE else RULES
    if prose.kind in (Kind.DOCSTRING, Kind.FUNCTION):
        yield FIRST
    if prose.kind is Kind.FUNCTION:
        yield VERB


def in_prose(prose: Prose) -> Iterator[Finding]:
    """Yields the findings in one piece of prose."""
    first = False
    for rule in _rules_of(prose):
        for match in rule.pattern.finditer(prose.text):
            if rule in (FIRST, VERB) and first:
                continue  # one finding for one first word is enough
            first = first or match.start() == 0
            start, end = match.span()
            inside = start + len(match[0]) - len(match[0].lstrip(f"{BLOCK}.;!?: \n\t"))
            found = " ".join(prose.raw[max(0, start - 25) : end + 35].split())
            yield Finding(prose.path, prose.line_of(inside), rule.name, found, rule.instead)
    for line, name in missing(prose) if prose.kind is not Kind.MESSAGE else ():
        yield Finding(prose.path, line, MISSING, name, "a file that exists; a placeholder is `<name>.py`")


def in_files(paths: Iterable[Path]) -> list[Finding]:
    """Returns the findings in files, in their order."""
    return [finding for path in paths for prose in read(path).prose for finding in in_prose(prose)]


def in_classes(paths: Iterable[Path]) -> list[Finding]:
    """Returns the class names that are used twice."""
    listed = glossary()
    return [
        Finding(path, line, DOUBLED, name, "a name of its own, or a row in docs/glossary.md")
        for path, line, name in doubled(paths, listed)
    ]
