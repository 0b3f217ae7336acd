"""A port of one address that passes every connection on to a port of this machine's loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PIECE = 64 * 1024


@contextmanager
def forwarded(host: str, port: int) -> Iterator[str]:
    """Listens at a free port of `host` while the block lasts, and yields `host:port`; `port` is the one on loopback."""
    with socket.create_server((host, 0)) as server:
        threading.Thread(target=_accept, args=[server, port], daemon=True).start()
        yield f"{host}:{server.getsockname()[1]}"


def _accept(server: socket.socket, port: int) -> None:
    with contextlib.suppress(OSError):  # the block has ended, and its socket is closed
        while True:
            client, _ = server.accept()
            there = socket.create_connection(("127.0.0.1", port))
            for source, target in ((client, there), (there, client)):
                threading.Thread(target=_pass_on, args=[source, target], daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):  # one of the two sides has closed its connection
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
