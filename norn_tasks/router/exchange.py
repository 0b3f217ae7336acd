"""One request and its answer: to the replica that is least busy, once more elsewhere when that is safe, and back.

Safe means that the client has seen nothing of an answer and the whole body can be sent again, and that the replica
cannot have begun: it took no connection; or a connection that had been used before closed without a byte, which is how
a server ends one it thought idle. A fresh connection that closes so has had the request: only a method that may be
repeated by its nature is (RFC 9110 9.2.2).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import h11

from norn_tasks.router import answers, tunnel
from norn_tasks.router.backend import Backend, RefusedError
from norn_tasks.router.body import KEPT_MAX, Body
from norn_tasks.router.heads import body_size, early_toward_client, toward_client, toward_replica
from norn_tasks.router.table import Table
from norn_tasks.router.wire import Wire, WireError

HALF_CLOSED_SECONDS = 5.0
"""How long a replica may be silent while its client sends no more: most such clients are gone, some half-close."""
_REPEATABLE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))


class Exchange:
    """A request being answered; `closing` tells whether the client's connection is to end with it."""

    def __init__(self, client: Wire, request: h11.Request, app: str, table: Table, address: str) -> None:
        self.closing = False
        self._client = client
        self._request = request
        self._app = app
        self._table = table
        self._head = toward_replica(request, client.peer, address)
        self._body = Body(client)
        self._answered = False
        self._abandoned = False
        size = body_size(request)
        self._fresh = size is None or size > KEPT_MAX

    async def run(self) -> None:
        """Answers the request, whatever it takes; raises WireError when the client's connection is of no more use."""
        refused: set[Backend] = set()
        shunned: Backend | None = None
        while (backend := self._choose(refused, shunned)) is not None:
            try:
                with self._table.open_request(backend):
                    if await self._try(backend):
                        return
            except RefusedError:
                refused.add(backend)
                continue
            if shunned:
                break
            shunned, self._fresh = backend, True
        await self._say_no(tried=bool(refused or shunned))

    def _choose(self, refused: set[Backend], shunned: Backend | None) -> Backend | None:
        entry = self._table.entry(self._app)
        return entry.choose(refused, shunned) if entry else None

    async def _try(self, backend: Backend) -> bool:
        """True when the client has its answer; False when it may be sent again. Raises RefusedError, WireError."""
        wire = None if self._fresh else backend.take()
        reused = wire is not None
        wire = wire or await backend.connect()
        before = wire.received
        try:
            with self._watched(wire):
                await self._relay(wire)
        except WireError as broken:
            wire.abort()
            if broken.wire is wire and wire.received == before and self._may_repeat(reused):
                return False
            await self._break_off(broken)
        finally:
            backend.give(wire)
        return True

    def _may_repeat(self, reused: bool) -> bool:
        whole = self._body.repeatable and not self._body.broken and not self._abandoned
        return whole and (reused or self._request.method in _REPEATABLE)

    @contextlib.contextmanager
    def _watched(self, wire: Wire) -> Iterator[None]:
        """Ends the wire when its client is lost, or when it stays silent for a client that sends no more."""
        client, loop = self._client, asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None

        def abandon() -> None:
            self._abandoned = True
            wire.abort()

        def look(before: int) -> None:
            nonlocal timer
            if wire.received == before:
                abandon()
            else:
                timer = loop.call_later(HALF_CLOSED_SECONDS, look, wire.received)

        def ended() -> None:
            if client.lost:
                abandon()
            elif timer is None:
                look(-1)

        client.on_end = ended
        if client.ended:
            ended()
        try:
            yield
        finally:
            client.on_end = None
            if timer:
                timer.cancel()

    async def _relay(self, wire: Wire) -> None:
        wire.put(self._head)
        self._body.start(wire)
        feeding = None
        if self._body.complete:
            await wire.flush()
        else:
            feeding = asyncio.create_task(self._body.feed(wire))
        try:
            await self._answer(wire)
        finally:
            if feeding:
                feeding.cancel()
                await asyncio.wait([feeding])

    async def _answer(self, wire: Wire) -> None:
        """Passes the answer on, each piece as soon as it is there."""
        while True:
            event = wire.ready()
            if event is None:
                await self._client.flush()
                event = await wire.event()
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                return await self._switch(event, wire)
            if isinstance(event, h11.InformationalResponse):
                self._put_early(event)
            elif isinstance(event, h11.Response):
                self._client.put(toward_client(event, closing=self._last()))
                self._answered = True
            elif isinstance(event, h11.Data):
                self._client.put(event)
            elif isinstance(event, h11.EndOfMessage):
                self._client.put(self._end(event))
                return await self._client.flush()
            else:
                raise WireError(wire, "the replica closed the connection")

    def _last(self) -> bool:
        """A client that still waits for `100 Continue` may send its body or not: only a new connection is sure."""
        self.closing = self.closing or self._client.http.they_are_waiting_for_100_continue
        return self.closing

    def _put_early(self, early: h11.InformationalResponse) -> None:
        if self._request.http_version >= b"1.1":
            self._client.put(early_toward_client(early))

    def _end(self, event: h11.EndOfMessage) -> h11.EndOfMessage:
        """Trailers go to clients that can have them."""
        chunked = self._request.http_version >= b"1.1" and self._request.method != b"HEAD"
        return event if chunked or not event.headers else h11.EndOfMessage()

    async def _switch(self, event: h11.InformationalResponse, wire: Wire) -> None:
        self._answered = True
        self._client.put(early_toward_client(event))
        await self._client.flush()
        self._client.on_end = None
        await tunnel.join(self._client, wire)

    async def _break_off(self, broken: WireError) -> None:
        """Tells the client as well as it still can be told; a half answer is ended visibly."""
        if self._body.broken:
            raise self._body.broken
        if self._abandoned or broken.wire is self._client:
            raise broken
        if self._answered:
            raise WireError(self._client, "the answer broke off") from broken
        await self._tell(502, f"{self._app}: its replica closed the connection before it had answered")

    async def _say_no(self, *, tried: bool) -> None:
        entry = self._table.entry(self._app)
        if entry is None:
            await self._tell(404, f"{self._app} is not served here any more")
        elif tried and entry.backends:
            await self._tell(502, f"{self._app}: none of its replicas took the request", retry=True)
        else:
            await self._tell(503, answers.not_served(entry.route), retry=True)

    async def _tell(self, status: int, sentence: str, *, retry: bool = False) -> None:
        method, closing = self._request.method, self._last()
        for event in answers.plain(status, sentence, method=method, retry=retry, closing=closing):
            self._client.put(event)
        await self._client.flush()
