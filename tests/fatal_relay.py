"""A relay in front of a server of apps that kills a worker at its n-th message to the server.

The worker dies either before the server gets the message, or after the server has carried it out and before the worker
gets the response.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
from dataclasses import dataclass, field

_PIECE = 64 * 1024


@dataclass
class Death:
    """The death of a worker at the n-th message that matches a pattern; several relays may share it."""

    worker: subprocess.Popen[bytes]
    pattern: re.Pattern[bytes]
    n: int
    after: bool
    message: bytes = b""
    """The message at which the worker died; empty until then."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def comes_with(self, piece: bytes) -> bool:
        """Returns True for the message at which the worker dies."""
        if not self.pattern.search(piece):
            return False
        with self._lock:
            self.n -= 1
            if self.n == 0:
                self.message = piece
            return self.n == 0


class FatalRelay:
    """A port of the loopback interface whose connections are passed on to a server; `death` may be set at any time."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self.death: Death | None = None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Takes no more connections."""
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the socket was closed
            while True:
                client, _ = self._socket.accept()
                there = socket.create_connection(self._server)
                dying: list[Death] = []
                for target in (self._ask, self._reply):
                    threading.Thread(target=target, args=[client, there, dying], daemon=True).start()

    def _ask(self, client: socket.socket, there: socket.socket, dying: list[Death]) -> None:
        with contextlib.suppress(OSError):  # one of the two sides has closed its connection
            while piece := client.recv(_PIECE):
                death = self.death
                if death is not None and death.comes_with(piece):
                    if not death.after:
                        death.worker.kill()
                        break
                    dying.append(death)
                there.sendall(piece)
        _leave(there)

    def _reply(self, client: socket.socket, there: socket.socket, dying: list[Death]) -> None:
        with contextlib.suppress(OSError):
            while piece := there.recv(_PIECE):
                if dying:
                    dying.pop().worker.kill()
                client.sendall(piece)
        _leave(client)


def _leave(target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
