"""A connection to a replica. It carries one request at a time, and is kept for the next one if possible."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from norn_tasks.router.protocol.heads import Fields
from norn_tasks.router.protocol.replies import Receiver, ReplyReader


class ReplicaUser(Receiver, Protocol):
    """The exchange that uses the connection."""

    def flush(self) -> None:
        """Passes on the part of the answer that has arrived."""

    def replied(self, trailers: Fields, *, reusable: bool) -> None:
        """Ends the exchange, because the answer is complete."""

    def replica_switched(self, first: bytes) -> None:
        """Begins another protocol, to which the replica has switched; `first` are its first bytes."""

    def replica_bytes(self, data: bytes) -> None:
        """Takes bytes of that protocol."""

    def replica_ended(self) -> None:
        """Records that the replica sends no more bytes of that protocol."""

    def replica_lost(self) -> None:
        """Records that the connection ended before the answer was complete."""

    def replica_full(self, full: bool) -> None:
        """Stops sending the body while the replica reads more slowly than the router writes, or continues."""


class ReplicaConnection(asyncio.Protocol):
    """A connection to a replica."""

    received = 0
    """The number of bytes that have arrived; while it stays the same, the replica is silent."""
    reused = False
    usable = True
    """True unless something happened on the idle connection that prevents its next use."""
    _user: ReplicaUser | None = None
    _used = False
    _tunnelling = False

    def __init__(self) -> None:
        self._reader = ReplyReader()

    # Called by the exchange

    def send(self, user: ReplicaUser, method: bytes, data: bytes) -> None:
        """Sends the first bytes of a request, whose answer `user` receives."""
        self.reused, self._used = self._used, True
        self._user = user
        self._reader.expect(user, method)
        self._transport.write(data)

    def write(self, data: bytes) -> None:
        """Sends more bytes of the request."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        """Ends the sending side, unless the replica has disconnected."""
        if not self._transport.is_closing() and self._transport.can_write_eof():
            try:
                self._transport.write_eof()
            except OSError:
                self._transport.abort()

    def pause(self, paused: bool) -> None:
        """Stops reading from the replica, or continues."""
        if self._transport.is_closing():
            return
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    @property
    def answering(self) -> bool:
        """True once a byte of the answer has arrived."""
        return self._reader.begun

    def close(self) -> None:
        """Ends the connection after sending the bytes that are still queued."""
        self.usable = False
        self._user = None
        self._transport.close()

    def abort(self) -> None:
        """Ends the connection immediately."""
        self.usable = False
        self._user = None
        self._transport.abort()

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stores the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parses the answer; bytes that answer no request end the connection."""
        user = self._user
        if user is None:
            self.usable = False
            self._transport.close()
        elif self._tunnelling:
            user.replica_bytes(data)
        else:
            self.received += len(data)
            self._read(data, user)

    def _read(self, data: bytes, user: ReplicaUser) -> None:
        reader = self._reader
        reader.feed(data)
        if reader.done:
            self._user = None
            user.replied(reader.trailers, reusable=reader.reusable)
        elif reader.broken:
            self._lose()
            self._transport.abort()
        elif reader.switched is not None:
            self._tunnelling = True
            user.replica_switched(reader.switched)
        else:
            user.flush()

    def eof_received(self) -> bool:
        """Completes an answer that ends with the connection; returns True if the sending side stays open."""
        self.usable = False
        user = self._user
        if user is not None and self._tunnelling:
            user.replica_ended()
            return True
        if user is not None:
            self._reader.end_of_stream()
            if self._reader.done:
                self._user = None
                user.replied([], reusable=False)
            else:
                self._lose()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Reports the loss to the exchange."""
        self.usable = False
        self._lose()

    def _lose(self) -> None:
        user, self._user = self._user, None
        if user is not None:
            user.replica_lost()

    def pause_writing(self) -> None:
        """Stops sending the body, because the replica reads more slowly than the router writes."""
        if self._user is not None:
            self._user.replica_full(True)

    def resume_writing(self) -> None:
        """Continues the body, because there is room in the buffer again."""
        if self._user is not None:
            self._user.replica_full(False)
