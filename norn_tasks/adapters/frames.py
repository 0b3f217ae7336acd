"""Takes apart the engine's multiplexed streams: stdout and stderr of a container on one connection.

The format (Engine API, ContainerAttach): frames of an 8-byte header, whose first byte is the stream (1 stdout,
2 stderr) and whose last four are the payload's length, big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

STDOUT = 1
STDERR = 2

_HEADER = struct.Struct(">BxxxL")


class Frames:
    """Takes bytes as they come; holds no more than a header of them."""

    def __init__(self) -> None:
        self._header = b""
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (stream, piece of payload) for what is in `data`; a frame may come in several pieces."""
        at = 0
        while at < len(data):
            if self._left == 0:
                taken = data[at : at + _HEADER.size - len(self._header)]
                self._header += taken
                at += len(taken)
                if len(self._header) < _HEADER.size:
                    return
                self._stream, self._left = _HEADER.unpack(self._header)
                self._header = b""
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            yield self._stream, piece
