"""One connection as HTTP events: h11 knows the protocol, asyncio the socket; a wire joins them with back-pressure.

Both sides of the router are wires: the client's (we are the server) and the replica's (we are the client). Bodies pass
in pieces of at most what one read gave, so that memory is bounded whatever their size.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import cast

import h11

HEAD_MAX = 64 * 1024
"""Bytes of a head after which an end must be in sight."""
INBOX_MAX = 64 * 1024
"""Unread bytes of a connection after which the kernel is left to hold the rest."""

Role = type[h11.CLIENT] | type[h11.SERVER]


class WireError(Exception):
    """A connection ended, or spoke no HTTP, in the middle of something; `status` is what a client would be told."""

    def __init__(self, wire: Wire, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.wire, self.why, self.status = wire, why, status


class Wire(asyncio.Protocol):
    """A connection; `opened` is called once it stands, `on_end` when the peer has sent its last byte or is lost."""

    def __init__(self, role: Role, opened: Callable[[Wire], None] | None = None) -> None:
        self.http = h11.Connection(role, HEAD_MAX)
        self.peer = ""
        self.received = 0
        self.ended = False
        self.lost = False
        self.on_end: Callable[[], None] | None = None
        self._opened = opened
        self._cut = False
        self._inbox = bytearray()
        self._outbox: list[bytes] = []
        self._held = False
        self._full = False
        self._news: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)
        self.peer = (transport.get_extra_info("peername") or ("",))[0]
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._opened:
            self._opened(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came in; beyond the limit no more are read until these are."""
        self.received += len(data)
        self._inbox += data
        if len(self._inbox) > INBOX_MAX and not self._held:
            self._held = True
            self._transport.pause_reading()
        _wake(self._news)

    def eof_received(self) -> bool:
        """The peer sends no more; it may still read."""
        self._end()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone, both ways."""
        self.lost = True
        self._cut = self._cut or error is not None
        _wake(self._room)
        self._end()

    def pause_writing(self) -> None:
        """The peer reads slower than we write."""
        self._full = True

    def resume_writing(self) -> None:
        """There is room again."""
        self._full = False
        _wake(self._room)

    def _end(self) -> None:
        self.ended = True
        _wake(self._news)
        if self.on_end:
            self.on_end()

    # Reading

    def ready(self) -> h11.Event | type[h11.PAUSED] | None:
        """Answers the next event that is there without waiting, None when there is none; raises WireError."""
        try:
            event = self.http.next_event()
            if event is h11.NEED_DATA and self._absorb():
                event = self.http.next_event()
        except h11.RemoteProtocolError as error:
            raise WireError(self, str(error), error.error_status_hint) from error
        return None if event is h11.NEED_DATA else cast("h11.Event | type[h11.PAUSED]", event)

    async def event(self) -> h11.Event | type[h11.PAUSED]:
        """Waits for the next event; raises WireError."""
        while (event := self.ready()) is None:
            await self._wait_for_news()
        return event

    async def read(self) -> bytes:
        """Waits for bytes as they are, outside HTTP; b'' when the peer sends no more. Raises WireError."""
        early, _ = self.http.trailing_data
        if early:
            self.http = h11.Connection(self.http.our_role)
            return early
        while not self._inbox and not self.ended:
            await self._wait_for_news()
        if self._cut and not self._inbox:
            raise WireError(self, "the connection was reset")
        return self._take_inbox()

    def _absorb(self) -> bool:
        if self._inbox:
            self.http.receive_data(self._take_inbox())
        elif self._cut:
            raise WireError(self, "the connection was reset")
        elif self.ended:
            self.http.receive_data(b"")
        else:
            return False
        return True

    def _take_inbox(self) -> bytes:
        data, self._inbox = bytes(self._inbox), bytearray()
        if self._held:
            self._held = False
            self._transport.resume_reading()
        return data

    async def _wait_for_news(self) -> None:
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    # Writing

    def put(self, event: h11.Event) -> None:
        """Adds an event to what the next flush sends; raises WireError when HTTP does not allow it now."""
        try:
            self._outbox += self.http.send_with_data_passthrough(event) or ()
        except h11.LocalProtocolError as error:
            raise WireError(self, str(error), 502) from error

    async def flush(self) -> None:
        """Sends what was put, and waits while the peer has too much unread; raises WireError when it is lost."""
        if self._outbox:
            data = b"".join(self._outbox)
            self._outbox.clear()
            await self.write(data)

    async def write(self, data: bytes) -> None:
        """Sends bytes as they are, as `flush` does."""
        if not self._transport.is_closing():
            self._transport.write(data)
        while self._full and not self.lost:
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        if self._transport.is_closing():
            raise WireError(self, "the connection is closed")

    # Ending

    @property
    def usable(self) -> bool:
        """True when nothing has happened on an idle connection that speaks against using it again."""
        return not (self.ended or self._inbox or self._transport.is_closing())

    def next_cycle(self) -> bool:
        """Makes the connection ready for the next request; False when it cannot be used again."""
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE:
            return False
        self.http.start_next_cycle()
        return True

    def write_eof(self) -> None:
        """Says that we send no more."""
        if not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()

    def close(self) -> None:
        """Ends the connection once what was sent is out."""
        self._transport.close()

    def abort(self) -> None:
        """Ends the connection at once; whoever reads from it gets WireError."""
        self._cut = True
        self._transport.abort()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
