"""A client's connection: one request after the other, each answered before the next one begins."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import cast

from norn_tasks.router.client.exchange import Exchange
from norn_tasks.router.client.stream import LINGER_SECONDS, ClientStream
from norn_tasks.router.clients import Clients
from norn_tasks.router.protocol import answers
from norn_tasks.router.protocol.requests import ClientRequest, RequestReader
from norn_tasks.router.table import Table
from norn_tasks.router.tunnel import SwitchedStreams


class ClientConnection(ClientStream):
    """A client's connection."""

    idle_since = 0.0
    head_since = 0.0
    _exchange: Exchange | None = None
    _leftover: ClientRequest | None = None
    """A request that was answered before its complete body had arrived; the rest of the body is discarded."""
    _tunnel: SwitchedStreams | None = None
    _advancing = False

    def __init__(self, app: str, address: bytes, table: Table, clients: Clients) -> None:
        self._app = app
        self._address = address
        self._table = table
        self._clients = clients

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stores the transport, and adds this connection to the clients of its address."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._reader = RequestReader(peer[0].encode() if peer else b"", self._address)
        self.idle_since = monotonic()
        self._clients.arrived(self)

    def data_received(self, data: bytes) -> None:
        """Parses requests. Bytes after the end of the open request wait until that request is answered."""
        exchange = self._exchange
        if self._tunnel is not None:
            self._tunnel.from_client(data)
        elif self._closing:
            return
        elif self._unread or (exchange is not None and exchange.request.whole):
            self._unread += data
            self._pause_or_resume()
        else:
            self._unread = self._reader.feed(data)
            if exchange is None:
                self._advance()
            else:
                self._continue(exchange)

    def eof_received(self) -> bool:
        """Records that the client will send no more; the client may still read."""
        self._ended = True
        exchange = self._exchange
        if self._closing:
            self._transport.close()
        elif exchange is None:
            self._advance()
        elif exchange.request.whole:
            exchange.client_ended()
        else:
            self._advance()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Ends the open exchange, and removes this connection from the clients of its address."""
        self._closing = True
        self._reader.close()
        self._clients.gone(self)
        if self._linger is not None:
            self._linger.cancel()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abandon(clean=error is None and self._ended)

    def pause_writing(self) -> None:
        """Stops sending the answer, because the client reads more slowly than the router writes."""
        if self._exchange is not None:
            self._exchange.client_full(True)

    def resume_writing(self) -> None:
        """Continues the answer, because there is room in the buffer again."""
        if self._exchange is not None:
            self._exchange.client_full(False)

    # From request to request

    def _advance(self) -> None:
        """Continues until more bytes are needed from the client or from a replica."""
        if self._advancing:
            return
        self._advancing = True
        while self._exchange is None and not self._closing and self._step():
            pass
        self._advancing = False
        exchange = self._exchange
        if exchange is not None and not exchange.request.whole:
            if self._unread:
                self._unread = self._reader.feed(self._unread)
            self._continue(exchange)
        if self._unread or self._paused:
            self._pause_or_resume()

    def _step(self) -> bool:
        """Does one piece of work while no request is open; returns True if there may be more work."""
        if self._leftover is not None and not self._drop_leftover(self._leftover):
            return False
        reader = self._reader
        if reader.arrived and (reader.refused is None or reader.arrived[0].whole):
            self._begin(reader.arrived.pop(0))
        elif self._unread:
            self._unread = reader.feed(self._unread)
        else:
            self._wait()
            return False
        return True

    def _begin(self, request: ClientRequest) -> None:
        self.idle_since = self.head_since = 0.0
        self._exchange = exchange = self._exchange_for(request)
        exchange.send()
        if self._ended and request.whole and self._exchange is exchange:
            exchange.client_ended()

    def _exchange_for(self, request: ClientRequest) -> Exchange:
        return Exchange(self, request, self._app, self._table, closing=self._clients.leaving)

    def _continue(self, exchange: Exchange) -> None:
        refused = self._reader.refused
        if exchange.request.whole or (refused is None and not self._ended):
            exchange.body_came()
        elif refused is not None:
            self._refuse_broken(refused.status, refused.sentence)
        else:
            self._refuse_broken(400, "the request broke off")

    def _drop_leftover(self, request: ClientRequest) -> bool:
        """Returns True when the rest of an answered request has been read."""
        if request.whole:
            self._stop_lingering()
            self._leftover = None
        elif self._reader.refused is not None or self._ended:
            self.close()
        return request.whole

    def _wait(self) -> None:
        """Waits for the next request, unless the client will send none."""
        if self._reader.refused is not None:
            self._refuse(self._reader.refused.status, self._reader.refused.sentence)
        elif self._ended and self._reader.inside_head:
            self._refuse(400, "the request broke off")
        elif self._ended:
            self.close()
        elif not self._reader.inside_head:
            self.idle_since = self.idle_since or monotonic()
        elif not self.head_since:
            self.idle_since, self.head_since = 0.0, monotonic()

    # Called by the exchange

    def answered(self, *, closing: bool) -> None:
        """Continues with the next request, or ends the connection."""
        exchange, self._exchange = self._exchange, None
        self._held = False
        if exchange is None or self._closing:
            return
        request = exchange.request
        if closing and request.whole:
            self.close()
        elif closing:
            self._hang_up()
        elif not request.whole:
            request.discarded = True
            self._leftover = request
            self._linger = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.close)
        self._advance()

    def switched(self, tunnel: SwitchedStreams) -> bytes:
        """Makes the connection a tunnel for another protocol; returns the bytes of that protocol that the client has
        already sent.
        """
        self._tunnel = tunnel
        early, self._unread = self._unread, b""
        if self._ended:
            tunnel.client_ended()
        self._pause_or_resume()
        return early

    # The end

    def _refuse_broken(self, status: int, sentence: str) -> None:
        """Ends the exchange of a request with an invalid or incomplete body."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None and exchange.abandon():
            self.abort()
        else:
            self._refuse(status, sentence)

    def _refuse(self, status: int, sentence: str) -> None:
        self.idle_since = self.head_since = 0.0
        self.write(answers.plain(status, f"this request cannot be served: {sentence}", closing=True))
        self._hang_up()

    # Called by `Clients`

    def close_idle(self) -> None:
        """Closes a connection that has no request open."""
        self.close()

    def refuse_slow_head(self) -> None:
        """Sends a 408 to a client whose head takes too long."""
        self._refuse(408, "its head took too long")

    def turn_away(self, sentence: str) -> None:
        """Sends a 503 to a client that exceeds the limit of connections."""
        self.write(answers.plain(503, sentence, retry=True, closing=True))
        self._hang_up()

    def leave(self) -> None:
        """Ends the connection after the open request, or now if none is open."""
        if self._exchange is not None:
            self._exchange.closing = True
        elif not self._closing:
            self.close()
