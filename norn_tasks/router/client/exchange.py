"""One request and its answer. The least busy replica gets the request; after a failure another replica gets it, if that
is safe.

It is safe if the client has seen nothing of an answer, the complete body can be sent again, and the replica cannot have
begun to process the request.

The replica cannot have begun if it accepted no connection, or if a connection that had been used before closed without
an answer, because the server considered it idle. If a new connection closes without an answer, the replica may have
begun. Then the request is repeated only if its method is idempotent (RFC 9110 9.2.2).
"""

from __future__ import annotations

import asyncio

from norn_tasks.router.backend import Backend, ReplicaUnreachable
from norn_tasks.router.client.answer import ClientAnswer
from norn_tasks.router.client.requester import Requester
from norn_tasks.router.protocol import answers
from norn_tasks.router.protocol.heads import Fields, trailer_lines
from norn_tasks.router.protocol.requests import KEPT_MAX, ClientRequest
from norn_tasks.router.replica import ReplicaConnection
from norn_tasks.router.table import Entry, OpenRequest, Table
from norn_tasks.router.tunnel import SwitchedStreams

HALF_CLOSED_SECONDS = 5.0
"""Seconds that a replica may be silent after its client has ended its sending side. Most such clients have
disconnected; few still read.
"""
_REPEATABLE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
_NONE: frozenset[Backend] = frozenset()


class Exchange(ClientAnswer):
    """A request that is being answered; `closing` is True if the client's connection ends after it."""

    _refused = _NONE
    _shunned: Backend | None = None
    _open: OpenRequest | None = None
    _replica: ReplicaConnection | None = None
    _connecting: asyncio.Task[None] | None = None
    _silence: asyncio.TimerHandle | None = None
    _tunnel: SwitchedStreams | None = None
    _full = False

    def __init__(self, client: Requester, request: ClientRequest, app: str, table: Table, *, closing: bool) -> None:
        super().__init__(client, request, closing=closing)
        self._app = app
        self._table = table
        length = request.head.length
        self._fresh = length is None or length > KEPT_MAX

    # Toward the replica

    def send(self) -> None:
        """Sends the request to the least busy replica, or answers that there is no replica."""
        entry = self._table.entry(self._app)
        backend = entry.choose(self._refused, self._shunned) if entry else None
        if backend is None:
            self._answer_without_replica(entry)
            return
        self._open = self._table.open_request(backend)
        connection = None if self._fresh else backend.take()
        if connection is not None:
            self._attach(connection)
        else:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(backend, self._open))

    async def _connect(self, backend: Backend, opened: OpenRequest) -> None:
        try:
            connection = await backend.connect()
        except ReplicaUnreachable:
            if self._open is opened:
                self._let_go()
                self._refused = self._refused | {backend}
                self.send()
            return
        if self._open is opened:
            self._attach(connection)
        else:
            connection.close()

    def _attach(self, connection: ReplicaConnection) -> None:
        request = self.request
        self._replica = connection
        connection.send(self, request.head.method, request.from_start())
        if self._full:
            connection.pause(True)
        if not request.whole:
            self._client.hold(False)

    def body_came(self) -> None:
        """Passes on the part of the body that has arrived. If no replica reads it, no more is read from the client once
        the buffer is full.
        """
        if self._replica is not None:
            if data := self.request.unsent():
                self._replica.write(data)
        elif not self.request.repeatable:
            self._client.hold(True)

    def _let_go(self) -> ReplicaConnection | None:
        """Detaches the replica from this exchange; returns its connection."""
        replica, self._replica = self._replica, None
        opened, self._open = self._open, None
        if opened is not None:
            opened.end()
        return replica

    # Called by the client's connection

    def client_full(self, full: bool) -> None:
        """Stops sending the answer while the client has too much unread data."""
        self._full = full
        if self._replica is not None:
            self._replica.pause(full)

    def client_ended(self) -> None:
        """Handles a client that sends no more: the exchange ends if the replica stays silent for a while."""
        if self._tunnel is not None:
            self._tunnel.client_ended()
        elif self._silence is None:
            self._watch(self._replica.received if self._replica else 0)

    def _watch(self, received: int) -> None:
        loop = asyncio.get_running_loop()
        self._silence = loop.call_later(HALF_CLOSED_SECONDS, self._leave_if_silent, received)

    def _leave_if_silent(self, before: int) -> None:
        received = self._replica.received if self._replica else 0
        if received != before:
            self._watch(received)
            return
        self.abandon()
        self._client.abort()

    def abandon(self, *, clean: bool = False) -> bool:
        """Ends the exchange because of the client; returns True if part of an answer was already passed on.

        `clean`: the client has ended a tunnel normally, so the last bytes that it sent still reach the replica.
        """
        self._stop_watching()
        replica = self._let_go()
        if replica is not None:
            if clean and self._tunnel is not None:
                replica.close()
            else:
                replica.abort()
        return self._answered

    def _stop_watching(self) -> None:
        if self._silence is not None:
            self._silence.cancel()

    # Called by the replica's connection

    def replied(self, trailers: Fields, *, reusable: bool) -> None:
        """Sends the rest of the answer, and returns the connection to the replica's pool."""
        if self._chunking:
            self._out.append(b"0\r\n%s\r\n" % trailer_lines(trailers))
        self.flush()
        opened, connection = self._open, self._let_go()
        if connection is not None and opened is not None:
            if self._full:
                connection.pause(False)
            if reusable and self.request.whole:
                opened.backend.give(connection)
            else:
                connection.close()
        self._end()

    def replica_lost(self) -> None:
        """Repeats the request if that is safe; otherwise breaks the answer off visibly, or answers 502."""
        replica = self._replica
        backend = self._open.backend if self._open else None
        self._let_go()
        if self._tunnel is not None:
            self._client.abort()
        elif self._answered:
            self._cut_answer()
        elif replica is not None and self._may_repeat(replica):
            self._repeat(backend)
        else:
            self._out.clear()
            self._answer(502, f"{self._app}: its replica closed the connection before it had answered")

    def _cut_answer(self) -> None:
        """Ends an incomplete answer. Without chunks or a length, only a reset shows the client that a part is
        missing.
        """
        self._stop_watching()
        self.flush()
        if self.request.head.modern:
            self._client.close()
        else:
            self._client.abort()

    def _may_repeat(self, replica: ReplicaConnection) -> bool:
        safe = replica.reused or self.request.head.method in _REPEATABLE
        return safe and not replica.answering and self.request.repeatable

    def _repeat(self, backend: Backend | None) -> None:
        if self._shunned is None:
            self._shunned, self._fresh = backend, True
            self.send()
        else:
            self._answer_without_replica(self._table.entry(self._app))

    def replica_full(self, full: bool) -> None:
        """Stops sending the body while the replica has too much unread data."""
        self._client.hold(full)

    # Another protocol

    def replica_switched(self, first: bytes) -> None:
        """Joins the two connections, because both sides have agreed on another protocol."""
        self.flush()
        replica = self._replica
        if replica is None:
            return
        self._stop_watching()
        self._answered = True
        self._tunnel = SwitchedStreams(self._client, replica)
        if first:
            self._client.write(first)
        if early := self._client.switched(self._tunnel):
            replica.write(early)

    def replica_bytes(self, data: bytes) -> None:
        """Passes bytes of the other protocol on to the client."""
        if self._tunnel is not None:
            self._tunnel.from_replica(data)

    def replica_ended(self) -> None:
        """Passes on that the replica sends no more."""
        if self._tunnel is not None:
            self._tunnel.replica_ended()

    # The router's own answers

    def _answer_without_replica(self, entry: Entry | None) -> None:
        if entry is None:
            self._answer(404, f"{self._app} is no longer served here")
        elif (self._refused or self._shunned) and entry.backends:
            self._answer(502, f"{self._app}: none of its replicas took the request", retry=True)
        else:
            self._answer(503, answers.not_served(entry.route), retry=True)

    def _end(self) -> None:
        self._stop_watching()
        super()._end()
