"""Puts the engine's log entries together into lines: each has its time in front, a long line is several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from norn_tasks.adapters.lines import decode

LONGEST = 64 * 1024
"""Bytes after which a line is cut."""


@dataclass(frozen=True)
class Line:
    """A line of a replica; `at` is the engine's time as text, which sorts as time does."""

    at: str
    replica: str
    text: str


class Entries:
    """Takes the entries of one replica in order."""

    def __init__(self, replica: str) -> None:
        self._replica = replica
        self._at = ""
        self._begun = b""

    def feed(self, entry: bytes) -> Iterator[Line]:
        """Yields the lines that are complete now."""
        at, _, piece = entry.partition(b" ")
        self._at = _sortable(at)
        text = self._begun + piece
        while len(text) > LONGEST:
            yield self._line(text[:LONGEST])
            text = text[LONGEST:]
        self._begun = b"" if text.endswith(b"\n") else text
        if text.endswith(b"\n"):
            yield self._line(text.rstrip(b"\r\n"))

    def end(self) -> Iterator[Line]:
        """Yields what was written without a line end."""
        if self._begun:
            yield self._line(self._begun)
        self._begun = b""

    def _line(self, text: bytes) -> Line:
        return Line(self._at, self._replica, decode(text))


def _sortable(at: bytes) -> str:
    """Writes nine digits of a second: the engine leaves out noughts at the end, and `…1Z` would come after `…15Z`."""
    second, _, fraction = decode(at).rstrip("Z").partition(".")
    return f"{second}.{fraction:0<9}Z"
