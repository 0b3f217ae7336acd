"""Puts the engine's log entries together into lines: each has its time in front, a long line is several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from norn_tasks.adapters.lines import decode
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction

LONGEST = 64 * 1024
"""Bytes after which a line is cut."""

_ENTRY = 16 * 1024
"""Bytes of a line that the engine puts into one entry."""


def spare(hidden: Redaction) -> int:
    """Answers how many entries to read before the first that is wanted: a secret is known by its beginning."""
    return hidden.most_lines + hidden.longest // _ENTRY + 1 if hidden else 0


@dataclass(frozen=True)
class Line:
    """A line of a replica; `at` is the engine's time as text, which sorts as time does."""

    at: str
    replica: str
    text: str


class Entries:
    """Takes the entries of one replica in order, and hides what is hidden."""

    def __init__(self, replica: str, hidden: Redaction = NOTHING_HIDDEN) -> None:
        self._replica = replica
        self._redactor = hidden.stream()
        self._at = ""
        self._begun = b""

    def feed(self, entry: bytes) -> Iterator[Line]:
        """Yields the lines that are complete now."""
        at, _, piece = entry.partition(b" ")
        self._at = _sortable(at)
        yield from self._lines(self._redactor.feed(piece))

    def end(self) -> Iterator[Line]:
        """Yields what was written without a line end."""
        yield from self._lines(self._redactor.end())
        if self._begun:
            yield self._line(self._begun)
        self._begun = b""

    def _lines(self, more: bytes) -> Iterator[Line]:
        *whole, rest = (self._begun + more).split(b"\n")
        for line in whole:
            yield from map(self._line, _pieces(line.rstrip(b"\r")) or [b""])
        *cut, self._begun = _pieces(rest) or [b""]
        yield from map(self._line, cut)

    def _line(self, text: bytes) -> Line:
        return Line(self._at, self._replica, decode(text))


def _pieces(line: bytes) -> list[bytes]:
    return [line[at : at + LONGEST] for at in range(0, len(line), LONGEST)]


def _sortable(at: bytes) -> str:
    """Writes nine digits of a second: the engine leaves out noughts at the end, and `…1Z` would come after `…15Z`."""
    second, _, fraction = decode(at).rstrip("Z").partition(".")
    return f"{second}.{fraction:0<9}Z"
