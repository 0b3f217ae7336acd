"""The bytes of a client's connection: sends them, stops reading them, and ends the connection without losing the last
answer.
"""

from __future__ import annotations

import asyncio

LINGER_SECONDS = 2.0
"""For how long the rest of an unwanted body is read and discarded, so that the client can read its answer."""
UNREAD_MAX = 64 * 1024
"""The most bytes that are read after the end of the open request; the kernel's buffer holds the rest."""


class ClientStream(asyncio.Protocol):
    """The two directions of a client's connection."""

    _transport: asyncio.Transport
    _unread = b""
    """Bytes that arrived after the end of the open request."""
    _linger: asyncio.TimerHandle | None = None
    _closing = False
    _ended = False
    _held = False
    _paused = False

    def write(self, data: bytes) -> None:
        """Sends bytes, unless the connection is closing."""
        if not self._closing:
            self._transport.write(data)

    def write_eof(self) -> None:
        """Ends the sending side, unless the client has disconnected."""
        if not self._transport.is_closing() and self._transport.can_write_eof():
            try:
                self._transport.write_eof()
            except OSError:
                self._transport.abort()

    def close(self) -> None:
        """Ends the connection after sending the bytes that are still queued."""
        self._closing = True
        self._transport.close()

    def abort(self) -> None:
        """Ends the connection immediately."""
        self._closing = True
        self._transport.abort()

    def hold(self, held: bool) -> None:
        """Stops reading the body, or continues."""
        self._held = held
        self._pause_or_resume()

    def _pause_or_resume(self) -> None:
        paused = self._held or len(self._unread) > UNREAD_MAX
        if paused == self._paused or self._transport.is_closing():
            return
        self._paused = paused
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _hang_up(self) -> None:
        """Ends the connection after its last answer.

        For a while, bytes that the client still sends are read and discarded. Closing a connection with unread bytes
        would reset it, and destroy the answer.
        """
        self._closing = True
        self._stop_lingering()
        self.write_eof()
        if self._ended:
            self._transport.close()
            return
        self._held, self._unread = False, b""
        self._pause_or_resume()
        self._linger = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)

    def _stop_lingering(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
