"""What a stream or an upload needs of its connection: to know when the client is gone, and to end one that hangs."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable, Mapping
from typing import Any

_IDLE_SECONDS = 20.0
_UNACKNOWLEDGED_MS = 30_000


class Connection:
    """The client's connection, as far as the server shows it (gunicorn does; a test client has none)."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._socket: socket.socket | None = environ.get("gunicorn.socket")

    def guard(self) -> None:
        """Sees to it that a client that takes or sends nothing, or vanished without a word, is done within a minute."""
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            self._socket.settimeout(_IDLE_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)

    def gone(self) -> bool:
        """True when the client has closed."""
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
        """What ends the connection at once, whoever is writing to it."""
        return self._cut

    def _cut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
