"""The open file of an app's log lines: records are appended, each with its length and its checksum.

A process may be killed at any byte of an append, so the last record may be incomplete. Readers stop before such a
record, and the next append removes it. One record contains lines and the new position of their container, so that
either both are stored or neither.
"""

from __future__ import annotations

import json
import struct
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from norn_tasks.domain.app_logs.lines import KeptLine, LineBatch, LogOrigin, Position

_FRAME = struct.Struct(">II")
Positions = dict[str, Position]
"""How far the log of each container was read."""


@dataclass(frozen=True)
class LineRecord:
    """One record: lines of a container, or (without lines) the fact that the container no longer exists."""

    origin: LogOrigin
    """The container that wrote the lines."""
    batch: LineBatch
    """The lines and the new position."""
    gone: bool = False
    """Whether the container no longer exists, so that its position is forgotten."""

    def lines(self) -> Iterator[KeptLine]:
        """Yields the record's lines."""
        for at, stream, text in zip(self.batch.times, self.batch.streams, self.batch.texts, strict=True):
            yield KeptLine(at, stream, text, self.origin)

    def note(self, positions: Positions) -> None:
        """Sets the position of the record's container in `positions`, or removes it if the container no longer
        exists.
        """
        if self.gone:
            positions.pop(self.origin.container, None)
        else:
            positions[self.origin.container] = self.batch.position


def encoded(record: LineRecord) -> bytes:
    """Returns the bytes of a record."""
    batch, origin = record.batch, record.origin
    head = json.dumps([*origin, plain(batch.position), len(batch.texts), record.gone], separators=(",", ":")).encode()
    times = array("q", batch.times).tobytes()
    body = b"".join((head, b"\n", times, bytes(batch.streams), b"\n".join(batch.texts)))
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def decoded(data: bytes, at: int = 0) -> Iterator[tuple[LineRecord, int]]:
    """Yields each complete record from an offset on, with the offset after the record."""
    while at + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, at)
        body = data[at + _FRAME.size : at + _FRAME.size + length]
        if len(body) < length or zlib.crc32(body) != checksum:
            return
        at += _FRAME.size + length
        yield _record(body), at


def _record(body: bytes) -> LineRecord:
    head, _, rest = body.partition(b"\n")
    container, release, generation, replica, position, count, gone = json.loads(head)
    times = array("q")
    times.frombytes(rest[: 8 * count])
    streams = rest[8 * count : 9 * count]
    texts = rest[9 * count :].split(b"\n") if count else []
    batch = LineBatch(times, streams, texts, position_of(position))
    return LineRecord(LogOrigin(container, release, generation, replica), batch, gone)


def plain(position: Position) -> dict[str, list[int]]:
    """Returns a position in the form that JSON can hold."""
    return {str(stream): list(reached) for stream, reached in position.items()}


def position_of(found: dict[str, list[int]]) -> Position:
    """Parses a position in the form that `plain` returns."""
    return {int(stream): (at, count) for stream, (at, count) in found.items()}
