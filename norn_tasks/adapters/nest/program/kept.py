"""Keeps the beginning and the end of a run's output, for a worker that takes the run over. The memory is bounded."""

from __future__ import annotations

HEAD, TAIL = 64 * 1024, 192 * 1024


class KeptOutput:
    """Keeps the first and the last bytes of a stream."""

    def __init__(self) -> None:
        self._head, self._tail, self._size = bytearray(), bytearray(), 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the stream."""
        self._size += len(data)
        room = HEAD - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * TAIL:
            del self._tail[:-TAIL]

    def parts(self) -> tuple[bytes, int, bytes]:
        """Returns the first bytes, the number of bytes after them that were not kept, and the last bytes."""
        return bytes(self._head), self._size - len(self._head) - len(self._tail), bytes(self._tail)
