"""Keeps the beginning and the end of a stream, in bounded memory even if the stream is endless."""

from __future__ import annotations

from norn_tasks.domain.jobs.execution import Captured

HEAD = 16 * 1024
TAIL = 48 * 1024
"""By default, the first HEAD bytes and the last TAIL bytes of a stream are kept."""


class Capture:
    """Keeps the first `head` and the last `tail` bytes of a stream."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._most = (head, tail)
        self._head = bytearray()
        self._tail = bytearray()
        self.size = 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the stream."""
        head, tail = self._most
        self.size += len(data)
        room = head - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if tail:
            self._tail += data
            # The buffer is trimmed in large steps, so that not every chunk of a long stream copies it.
            if len(self._tail) > 4 * tail:
                del self._tail[:-tail]

    def skip(self, count: int) -> None:
        """Counts bytes of the stream that were lost before this object could receive them."""
        self.size += count

    def captured(self) -> Captured:
        """Returns the kept bytes, and the number of bytes that were not kept."""
        head, tail = bytes(self._head), bytes(self._tail[-self._most[1] :]) if self._most[1] else b""
        return Captured(head, tail, self.size - len(head) - len(tail))
