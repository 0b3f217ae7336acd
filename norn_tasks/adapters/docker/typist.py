"""Passes a client's input to a program in a container: its bytes, the end of the input, and the size of the client's
window.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from norn_tasks.domain.errors import NornError
from norn_tasks.ports import Terminal, Typed

LOOK = 0.25
PIECE = 32 * 1024
Size = tuple[int, int]


class Typist:
    """Writes a client's input to a connection, on a thread of its own; `resize` sets the size of the program's
    window.
    """

    def __init__(self, terminal: Terminal, connection: socket.socket, resize: Callable[[Size], None]) -> None:
        self._terminal, self._connection, self._resize = terminal, connection, resize
        self._over = threading.Event()

    def begin(self, size: Size | None) -> None:
        """Sets the first size of the window, and starts the thread."""
        self._sized(size)
        threading.Thread(target=self._type, name="norn-typed", daemon=True).start()

    def end(self) -> None:
        """Stops passing input, because the program has ended."""
        self._over.set()

    def _type(self) -> None:
        with suppress(OSError, ValueError, NornError):
            while not self._over.is_set():
                typed = self._terminal.typed(1.0)
                if typed is not None and not self._hand_on(typed):
                    return

    def _hand_on(self, typed: Typed) -> bool:
        self._sized(typed.size)
        data = memoryview(typed.data)
        poll = select.poll()
        poll.register(self._connection, select.POLLOUT)
        while data and not self._over.is_set():
            if poll.poll(LOOK * 1000):
                data = data[self._connection.send(data[:PIECE]) :]
        if typed.eof:
            self._connection.shutdown(socket.SHUT_WR)
        return not typed.eof

    def _sized(self, size: Size | None) -> None:
        if size is not None:
            # The program may not have started yet or may have ended; in both cases the size does not matter.
            with suppress(NornError):
                self._resize(size)
