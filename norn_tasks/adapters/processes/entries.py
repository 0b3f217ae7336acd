"""Joins the entries of the engine's log into lines. Each entry begins with its time; a long line has several
entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from norn_tasks.adapters.processes.lines import decode
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction

LONGEST = 64 * 1024
"""The most bytes of a line; a longer line is split."""

_ENTRY = 16 * 1024
"""The most bytes of a line that the engine puts into one entry."""


def spare(hidden: Redaction) -> int:
    """Returns how many extra entries to read before the first wanted one, so that a secret that begins in them is
    found.
    """
    return hidden.most_lines + hidden.longest // _ENTRY + 1 if hidden else 0


@dataclass(frozen=True)
class Line:
    """A line of a replica; `at` is the engine's time, as text whose alphabetical order is the order of time."""

    at: str
    replica: str
    text: str


class Entries:
    """Takes the entries of one replica in order, and replaces the secrets in them."""

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
        """Yields the last line, if no line end came after it."""
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


def last_lines(entries: Sequence[bytes], replica: str, count: int, hidden: Redaction = NOTHING_HIDDEN) -> list[Line]:
    """Returns the last `count` lines of some entries; the caller has read `count` entries and `spare` more.

    If earlier entries exist, the first entries that were read may contain the end of a secret whose beginning was not
    read. So all lines are left out up to the first line that begins after `spare` entries.
    """
    put = Entries(replica, hidden)
    first = _first_whole(entries, spare(hidden)) if len(entries) >= count + spare(hidden) else 0
    for entry in entries[:first]:
        for _ in put.feed(entry):
            continue
    lines = [line for entry in entries[first:] for line in put.feed(entry)] + list(put.end())
    return lines[-count:] if count else []


def _first_whole(entries: Sequence[bytes], least: int) -> int:
    """Returns the index of the first entry, at `least` or later, that begins a line."""
    if not least:
        return 0
    return next((n for n in range(least, len(entries)) if entries[n - 1].endswith(b"\n")), len(entries))


def _pieces(line: bytes) -> list[bytes]:
    return [line[at : at + LONGEST] for at in range(0, len(line), LONGEST)]


def _sortable(at: bytes) -> str:
    """Pads the fraction of a second to nine digits. The engine drops final zeros, and without padding `…1Z` would sort
    after `…15Z`.
    """
    second, _, fraction = decode(at).rstrip("Z").partition(".")
    return f"{second}.{fraction:0<9}Z"
