"""Turns the entries of one container's log into batches of lines. No entry is used twice, and secrets are removed.

A batch always ends at the end of an entry. So the position that is stored with the batch says exactly where a later
reading must begin: at the first entry that was not stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from norn_tasks.domain.app_logs.lines import MISSING, NOTE, LineBatch, Position
from norn_tasks.domain.redaction import Redaction

LONGEST = 64 * 1024
"""The most bytes of a line; a longer line is split."""
_UNDECIDED = 256 * 1024
"""How many bytes of a stream may wait for the end of a line, or for the rest of a possible secret (in addition to the
length of the longest secret). If more bytes wait, they are stored as a line at once.
"""

_LINE = 16
"""The bytes that a line needs in addition to its text."""

SLACK = 2 * 10**9
"""A new reading begins this many nanoseconds before the last entry, because the two streams are not exactly in order.
"""


class LogEntry(NamedTuple):
    """One entry of an engine's or a node's log: its stream, its time in nanoseconds since 1970, and its bytes."""

    stream: int
    at: int
    data: bytes


class LineIntake:
    """Takes the entries of one reading, and skips those before the position at which the previous reading ended.

    `whole`: the log should still contain the entry at that position. If it does not, entries were lost, and a note line
    says so.
    """

    def __init__(self, position: Position, hidden: Redaction, *, whole: bool = True) -> None:
        self.position = dict(position)
        self._whole = whole
        self._newest = max((at for at, _ in position.values()), default=0)
        self._hidden = hidden
        self._streams: dict[int, _Written] = {}
        self._lines: list[tuple[int, int, bytes]] = []
        self.size = 0
        """The bytes of the lines that wait to be stored."""

    @property
    def since(self) -> int:
        """The time from which the engine's log must be read."""
        return max(0, self._newest - SLACK)

    def feed(self, entries: Sequence[LogEntry]) -> None:
        """Takes the next entries."""
        clean = {stream for stream in {entry.stream for entry in entries} if self._is_clean(stream, entries)}
        for entry in entries:
            self._of(entry.stream).take(entry, self._lines, clean=entry.stream in clean)
        self.size = sum(len(text) + _LINE for _, _, text in self._lines)

    def end(self) -> None:
        """Takes the rest of the output as a line, even without a line end, because the program has ended."""
        for written in self._streams.values():
            written.settle(self._lines)

    def batch(self) -> LineBatch | None:
        """Returns the complete lines with the position after them; None if there is no new line."""
        reached = {number: each.settled for number, each in self._streams.items() if each.settled is not None}
        position = self.position | reached
        if position == self.position:
            return None
        self.position = position
        lines, self._lines, self.size = self._lines, [], 0
        times, streams, texts = zip(*lines, strict=True) if lines else ((), (), ())
        return LineBatch(times, streams, texts, position)

    def _of(self, stream: int) -> _Written:
        if stream not in self._streams:
            skip = self.position.get(stream)
            newest = self._whole and skip is not None and skip[0] == self._newest
            self._streams[stream] = _Written(stream, skip, self._hidden, complete=newest)
        return self._streams[stream]

    def _is_clean(self, stream: int, entries: Sequence[LogEntry]) -> bool:
        """Returns True if no secret lies in, or begins in, these entries of a stream."""
        if not self._hidden:
            return True
        joined = b"".join(entry.data for entry in entries if entry.stream == stream)
        return not self._of(stream).undecided and self._hidden.clean(joined)


class _Written:
    """One stream of a container: stdout or stderr.

    `complete`: this reading must contain the entry at which the last reading ended. If it does not contain that entry,
    entries were lost.
    """

    def __init__(self, number: int, skip: tuple[int, int] | None, hidden: Redaction, *, complete: bool) -> None:
        self._number = number
        self._skip = skip
        self._skipped = 0
        self._complete = complete
        self._hidden = hidden
        self._redactor = hidden.stream()
        self._reached: tuple[int, int] = skip or (0, 0)
        self._begun = b""
        self._waiting: list[tuple[int, int, bytes]] = []
        self._waits = 0
        self.settled: tuple[int, int] | None = None
        """The position up to which all entries are part of complete lines."""

    @property
    def undecided(self) -> bool:
        """True while bytes wait because they may be part of a secret."""
        return self._redactor.holding

    def take(self, entry: LogEntry, into: list[tuple[int, int, bytes]], *, clean: bool) -> None:
        """Takes the next entry, and adds its complete lines to the list."""
        if self._skip is not None and self._is_known(entry, into):
            return
        at, count = self._reached
        self._reached = (entry.at, count + 1 if entry.at == at else 1)
        data = entry.data if clean else self._redactor.feed(entry.data)
        self._split(entry.at, data)
        self._waits += len(entry.data)
        if not (self._begun or self._redactor.holding):
            self._release(into)
        elif self._waits > _UNDECIDED + self._hidden.longest:
            self.settle(into)

    def settle(self, into: list[tuple[int, int, bytes]]) -> None:
        """Adds the waiting bytes to the list as a complete line, even if they end in the middle of a line."""
        if self._redactor.holding:
            self._split(self._reached[0], self._redactor.end())
            self._redactor = self._hidden.stream()
        if self._begun:
            self._split(self._reached[0], b"\n")
        if self._waits:
            self._release(into)

    def _is_known(self, entry: LogEntry, into: list[tuple[int, int, bytes]]) -> bool:
        """Returns True if the entry is already stored.

        At the first entry that is not stored yet, adds a note line if entries before it are missing.
        """
        at, count = self._skip or (0, 0)
        if entry.at < at:
            return True
        if entry.at == at and self._skipped < count:
            self._skipped += 1
            return True
        if self._complete and self._skipped < count:
            into.append((entry.at, NOTE, MISSING.encode()))
        self._skip = None
        return False

    def _split(self, at: int, data: bytes) -> None:
        *whole, self._begun = (self._begun + data).split(b"\n")
        for line in whole:
            text = line.removesuffix(b"\r")
            for start in range(0, len(text) or 1, LONGEST):
                self._waiting.append((at, self._number, text[start : start + LONGEST]))

    def _release(self, into: list[tuple[int, int, bytes]]) -> None:
        into.extend(self._waiting)
        self._waiting, self._waits = [], 0
        self.settled = self._reached
