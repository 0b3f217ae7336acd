"""The HTTP server of the API: gunicorn with threads; a thread gets a request only when its head (the request line and
the headers) has arrived.

Plain gunicorn gives a connection a thread at its first byte, and waits for the rest without a time limit. A client with
as many incomplete heads as there are threads could block the server. Here, the loop that accepts connections also
collects the heads.
"""

from __future__ import annotations

import contextlib
import selectors
import time
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

HEAD_SECONDS = 10.0
"""How many seconds a head may take to arrive: from the opening of its connection, or from the first byte of a later
request.
"""
WAITING_MAX = 500
"""The maximum number of connections with an incomplete head; if another one opens, the oldest of them is closed."""
_HEAD_MAX = 128 * 1024
_LINE_MAX = 8 * 1024
_PIECE = 64 * 1024
_REFUSAL = "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class HeadsFirst(ThreadWorker):  # type: ignore[misc]
    """A worker of gunicorn: `-k norn_api.heads.HeadsFirst`. Its own methods run in the accepting thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heads: dict[Any, tuple[bytearray, float]] = {}  # by connection, the oldest first

    def enqueue_req(self, conn: Any) -> None:
        """Collects the head of a connection's next request; a thread gets the request when its head is complete."""
        begun = conn.parser.unreader.take_buffered() if conn.parser is not None else b""
        if len(self._heads) >= WAITING_MAX:
            self._drop(next(iter(self._heads)), "503 Service Unavailable")
        self._heads[conn] = (bytearray(begun), time.monotonic() + HEAD_SECONDS)
        conn.sock.setblocking(False)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._read, conn))
        self._read(conn, conn.sock)

    def murder_pending(self) -> None:
        """Closes connections whose head takes too long; when the worker ends, closes all with an incomplete head."""
        super().murder_pending()
        now = time.monotonic()
        for conn, (_, until) in list(self._heads.items()):
            if self.alive and until > now:
                return
            self._drop(conn, "408 Request Timeout")

    def _read(self, conn: Any, _sock: object) -> None:
        head, _ = self._heads[conn]
        if _is_whole(head):
            return self._hand_over(conn, bytes(head))
        try:
            piece = conn.sock.recv(_PIECE)
        except BlockingIOError:
            return None
        except OSError:
            piece = b""
        head += piece
        if not piece:
            self._drop(conn)
        elif _is_whole(head):
            self._hand_over(conn, bytes(head))
        elif len(head) > _HEAD_MAX:
            self._drop(conn, "431 Request Header Fields Too Large")
        return None

    def _hand_over(self, conn: Any, head: bytes) -> None:
        self._forget(conn)
        conn.sock.setblocking(True)
        conn.init()
        conn.parser.unreader.unread(head)
        conn.data_ready = True
        super().enqueue_req(conn)

    def _drop(self, conn: Any, status: str = "") -> None:
        begun, _ = self._heads[conn]
        self._forget(conn)
        if status and begun:
            with contextlib.suppress(OSError):
                conn.sock.send(_REFUSAL.format(status).encode())
        self.nr_conns -= 1
        conn.close()

    def _forget(self, conn: Any) -> None:
        del self._heads[conn]
        self.poller.unregister(conn.sock)


def _is_whole(head: bytearray) -> bool:
    """Returns True for a complete head, and for the beginning of a head that gunicorn refuses without reading more."""
    return b"\r\n\r\n" in head or b"\n\n" in head or (len(head) > _LINE_MAX and b"\n" not in head)
