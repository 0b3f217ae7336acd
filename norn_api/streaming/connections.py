"""The client's connection during a stream or an upload: notices that the client has disconnected, and ends a connection
that hangs.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_IDLE_SECONDS = 20.0
_UNACKNOWLEDGED_MS = 15_000
_KEEPALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}


class TooSlow(TimeoutError):
    """The client took longer to send its body than it is allowed to."""


class Connection:
    """The client's connection, if the server gives access to it (gunicorn does; a test client has none)."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._socket: socket.socket | None = environ.get("gunicorn.socket")

    def guard(self) -> None:
        """Limits each wait for the client to 20 s, and notices within 30 s that a client disappeared without closing
        the connection.
        """
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            self._socket.settimeout(_IDLE_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE.items():
                self._socket.setsockopt(socket.IPPROTO_TCP, option, value)

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Limits the time of the block: after `seconds` it stops reading from the client, and the end of the block
        raises TooSlow. The client can still be answered.

        `guard` limits each single wait for the client, but not the time of all waits together.
        """
        until = time.monotonic() + seconds
        timer = threading.Timer(seconds, self.stop_reading)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            if time.monotonic() >= until:
                raise TooSlow

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Makes each read in the block fail with an OSError instead of waiting for the client."""
        if self._socket is None:
            yield
            return
        before = self._socket.gettimeout()
        self._socket.settimeout(0)
        try:
            yield
        finally:
            self._socket.settimeout(before)

    def stop_reading(self) -> None:
        """Stops reading from the client. A response can still be sent; then the connection ends."""
        self._shut(socket.SHUT_RD)

    def gone(self) -> bool:
        """Returns True if the client has closed the connection."""
        if self._socket is None:
            return False
        try:
            ready = select.poll()
            ready.register(self._socket, select.POLLIN)
            return bool(ready.poll(0)) and self._socket.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    @property
    def cut(self) -> Callable[[], None]:
        """Returns a function that ends the connection immediately, even while another thread writes to it."""
        return self._cut

    def _cut(self) -> None:
        self._shut(socket.SHUT_RDWR)

    def _shut(self, side: int) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(side)
