"""A proxy to the real engine that a test can interrupt: all connections go through a socket of the test."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class CuttableEngine:
    """Passes connections on to the engine at `target`. After `cut` it refuses and breaks connections; after `freeze` it
    accepts them and stays silent.
    """

    def __init__(self, path: Path, target: str) -> None:
        self.address = f"unix://{path}"
        self._path = path
        self._target = target.removeprefix("unix://")
        self._moving = threading.Event()
        self._moving.set()
        self._open: list[socket.socket] = []
        self._door = self._listen()

    def cut(self) -> None:
        """Simulates a stopped engine: open connections end, new ones are refused."""
        self._close(self._door)
        self._path.unlink(missing_ok=True)
        for connection in self._open:
            self._close(connection)
        self._open.clear()

    def restore(self) -> None:
        """Lets connections reach the engine again."""
        self._door = self._listen()

    def freeze(self) -> None:
        """Simulates a frozen engine: connections are accepted, and nothing is sent."""
        self._moving.clear()

    def thaw(self) -> None:
        """Lets the frozen connections continue."""
        self._moving.set()

    def _listen(self) -> socket.socket:
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(self._path))
        door.listen(64)
        threading.Thread(target=self._accept, args=[door], daemon=True).start()
        return door

    def _accept(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                ours, _ = door.accept()
                theirs = socket.socket(socket.AF_UNIX)
                theirs.connect(self._target)
                self._open += [ours, theirs]
                for pair in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._moving.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    @staticmethod
    def _close(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
