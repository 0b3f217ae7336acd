"""The listening ports, one per app, and the conversations behind them: request after request on each connection."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable, Iterable

import h11

from norn_tasks.router import answers
from norn_tasks.router.exchange import Exchange
from norn_tasks.router.heads import refusal
from norn_tasks.router.table import Table
from norn_tasks.router.wire import Wire, WireError
from norn_tasks.store.routes import Route

IDLE_SECONDS = 120.0
"""How long a client's connection may wait for its next whole head: longer than clients keep theirs (90 s)."""
LINGER_SECONDS = 2.0
"""How long the rest of a body that nobody wants is read away, so that the client can read its answer."""
BACKLOG = 1024

Report = Callable[[str, str | None], None]
"""Takes an app, and None when its port is listened on, or the sentence why it is not."""


class Doors:
    """All listening ports; `open_for` makes them what the routes say, and tries again what did not work."""

    def __init__(self, host: str, table: Table, report: Report) -> None:
        self._host = host
        self._table = table
        self._report = report
        self._doors: dict[str, Door] = {}

    async def open_for(self, routes: Iterable[Route]) -> None:
        """Listens for exactly these apps; called again for the same routes it retries the ports that were taken."""
        wanted = {route.app: route.port for route in routes}
        for app, door in list(self._doors.items()):
            if wanted.get(app) != door.port:
                door.shut()
                del self._doors[app]
        for app, port in wanted.items():
            if app not in self._doors:
                await self._open(app, port)

    async def _open(self, app: str, port: int) -> None:
        door = Door(app, port, self._table)
        try:
            await door.open(self._host)
        except OSError as error:
            self._report(app, _why_not(self._host, port, error))
        else:
            self._doors[app] = door
            self._report(app, None)

    def listening(self) -> tuple[str, ...]:
        """Answers the apps whose port is listened on."""
        return tuple(self._doors)

    async def close(self, seconds: float) -> None:
        """Accepts no more, ends idle connections, and lets open requests end for so long."""
        doors, self._doors = list(self._doors.values()), {}
        for door in doors:
            door.shut(leaving=True)
        talks = [talk for door in doors for talk in door.talks]
        if talks:
            _, late = await asyncio.wait(talks, timeout=seconds)
            for talk in late:
                talk.cancel()
            await asyncio.gather(*late, return_exceptions=True)


class Door:
    """The listening port of one app."""

    def __init__(self, app: str, port: int, table: Table) -> None:
        self.app = app
        self.port = port
        self.talks: set[asyncio.Task[None]] = set()
        self._table = table
        self._idle: set[Wire] = set()
        self._open: set[Exchange] = set()
        self._leaving = False

    async def open(self, host: str) -> None:
        """Listens; raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Wire(h11.SERVER, self._welcome), host, self.port, backlog=BACKLOG, reuse_address=True
        )
        self._address = f"{host}:{self.port}"

    def shut(self, *, leaving: bool = False) -> None:
        """Accepts no more; when the router is leaving, conversations end with the request that is open."""
        self._server.close()
        if leaving:
            self._leaving = True
            for exchange in self._open:
                exchange.closing = True
            for wire in self._idle:
                wire.close()

    def _welcome(self, wire: Wire) -> None:
        talk = asyncio.get_running_loop().create_task(self._talk(wire))
        self.talks.add(talk)
        talk.add_done_callback(self.talks.discard)

    async def _talk(self, client: Wire) -> None:
        """Answers request after request until one side has had enough."""
        try:
            while (request := await self._next(client)) is not None:
                if await self._answer(client, request) or not await _settle(client):
                    break
        except WireError as broken:
            if broken.wire is client:
                await _refuse(client, broken.status, f"this request cannot be served: {broken.why}")
        finally:
            client.close()

    async def _next(self, client: Wire) -> h11.Request | None:
        self._idle.add(client)
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                event = await client.event()
        except TimeoutError:
            return None
        finally:
            self._idle.discard(client)
        return event if isinstance(event, h11.Request) else None

    async def _answer(self, client: Wire, request: h11.Request) -> bool:
        """Answers the request; True when the connection ends with it. Raises WireError."""
        if reason := refusal(request):
            raise WireError(client, reason)
        exchange = Exchange(client, request, self.app, self._table, self._address)
        exchange.closing = self._leaving
        self._open.add(exchange)
        try:
            await exchange.run()
        finally:
            self._open.discard(exchange)
        return exchange.closing


async def _refuse(client: Wire, status: int, sentence: str) -> None:
    """Says no to what is no request, if it still can be said; the connection ends with it.

    What the client still sends is read away: a close over unread bytes is a reset, which would eat the answer.
    """
    if client.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    with contextlib.suppress(WireError, TimeoutError):
        for event in answers.plain(status, sentence, closing=True):
            client.put(event)
        async with asyncio.timeout(LINGER_SECONDS):
            await client.flush()
            client.write_eof()
            while await client.read():
                pass


async def _settle(client: Wire) -> bool:
    """Reads away what is left of the answered request; True when the connection can take the next one."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while client.http.their_state is h11.SEND_BODY:
                await client.event()
    except TimeoutError:
        return False
    return client.next_cycle()


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another program"
    if error.errno == errno.EACCES:
        return f"port {port} may not be opened by this user"
    return f"{host}:{port} cannot be listened on: {os.strerror(error.errno or 0)}"
