"""A door to the real engine that a test can close: everything goes through a socket of our own."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class CuttableEngine:
    """Passes connections on to the engine at `target`, until `cut` (refused, broken off) or `freeze` (silence)."""

    def __init__(self, path: Path, target: str) -> None:
        self.address = f"unix://{path}"
        self._path = path
        self._target = target.removeprefix("unix://")
        self._moving = threading.Event()
        self._moving.set()
        self._open: list[socket.socket] = []
        self._door = self._listen()

    def cut(self) -> None:
        """The engine is gone: connections end cleanly, new ones are refused."""
        self._close(self._door)
        self._path.unlink(missing_ok=True)
        for connection in self._open:
            self._close(connection)
        self._open.clear()

    def restore(self) -> None:
        """The engine is back."""
        self._door = self._listen()

    def freeze(self) -> None:
        """The engine takes connections and says nothing."""
        self._moving.clear()

    def thaw(self) -> None:
        """The engine goes on where it was."""
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
