"""A forward proxy for programs without a network: it connects on behalf of everyone who can reach its socket."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit


class Relay:
    """Serves a listening socket until the block ends: CONNECT for https, absolute URLs for http."""

    def __init__(self, listening: socket.socket) -> None:
        self._server = _Server(("", 0), _Connection, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listening
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


class _Connection(socketserver.BaseRequestHandler):
    request: socket.socket

    def handle(self) -> None:
        """Serves a connection until either side has closed it, in whatever way."""
        with suppress(ConnectionError):
            self._serve()

    def _serve(self) -> None:
        """Reads the wanted address, connects, and then only passes bytes on."""
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.request.recv(65536)
            if not more:
                return
            head += more
        method, target = head.split(b" ", 2)[:2]
        try:
            there = socket.create_connection(_address(method, target), timeout=30)
        except OSError:
            self.request.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with there:
            if method == b"CONNECT":
                self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                head = head.partition(b"\r\n\r\n")[2]
            there.sendall(head)
            pass_on(self.request, there)


def _address(method: bytes, target: bytes) -> tuple[str, int]:
    """Returns the host and port of a target: after CONNECT it is `host:port`, after any other method a URL."""
    connect = method == b"CONNECT"
    url = urlsplit(("//" if connect else "") + target.decode())
    return url.hostname or "", url.port or (443 if connect else 80)


def pass_on(one: socket.socket, other: socket.socket) -> None:
    """Copies bytes in both directions until one side has closed its connection."""
    ways = {one: other, other: one}
    while True:
        for ready in select.select(list(ways), [], [], None)[0]:
            data = ready.recv(65536)
            if not data:
                return
            ways[ready].sendall(data)
