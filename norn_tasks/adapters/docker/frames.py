"""Splits the stream in which the engine mixes a container's stdout and stderr.

The format (Engine API, ContainerAttach): each frame is an 8-byte header and a payload. The header's first byte is the
stream (1 stdout, 2 stderr), and its last four bytes are the length of the payload, big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

STDOUT = 1
STDERR = 2
"""The numbers of the two streams in the engine's frames."""

_HEADER = struct.Struct(">BxxxL")


class Frames:
    """Parses bytes as they arrive; buffers at most one header."""

    def __init__(self) -> None:
        self._header = b""
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Parses `data` and yields a pair for each chunk of payload: the number of the stream, and the bytes. One frame
        may be yielded in several chunks.
        """
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
