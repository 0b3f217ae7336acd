"""The protocol between the nest and its clients, with one connection per request.

A client sends one line of JSON, then as many bytes as the line announces, then further lines with commands. The nest
sends frames: a letter, the length in four bytes, and the content.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from typing import IO, Any

RESERVED, STARTED, STDOUT, STDERR, SKIPPED, END, REFUSED = "r", "s", "1", "2", "k", "e", "x"
"""The kinds of frames: the id of a reserved run, the start of its code, its output (two streams), a number of lost
bytes, its end, and a refusal.
"""
LONGEST_LINE = 4 * 2**20
_HEAD = struct.Struct(">cI")


class Link:
    """One client connection, from the nest's side."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self.input: IO[bytes] = connection.makefile("rb")

    def line(self) -> dict[str, Any] | None:
        """Returns the next line from the client; None if it has disconnected."""
        try:
            text = self.input.readline(LONGEST_LINE)
            return dict(json.loads(text)) if text.endswith(b"\n") else None
        except (OSError, ValueError):
            return None

    def send(self, kind: str, content: bytes | dict[str, Any]) -> bool:
        """Sends a frame; returns False if the client has disconnected."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        try:
            with self._sending:
                self._connection.sendall(_HEAD.pack(kind.encode(), len(data)) + data)
        except OSError:
            return False
        return True

    def cut(self) -> None:
        """Ends the connection, even while another thread is sending."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection."""
        self.input.close()
        self._connection.close()


def frames(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yields the frames of a stream until it ends."""
    while len(head := stream.read(_HEAD.size)) == _HEAD.size:
        kind, size = _HEAD.unpack(head)
        yield kind.decode(), stream.read(size)
