"""Keeps the output of a run for a later owner, in bounded memory: only the beginning and the end."""

from __future__ import annotations

HEAD, TAIL = 64 * 1024, 192 * 1024


class KeptOutput:
    """The first and the last bytes of a stream."""

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
        """Returns the beginning, the number of bytes that were not kept, and the end."""
        return bytes(self._head), self._size - len(self._head) - len(self._tail), bytes(self._tail)
