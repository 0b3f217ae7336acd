"""The listening ports, one per app."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, TypeVar

from norn_tasks.router.client import ClientConnection
from norn_tasks.router.clients import ClientLimits, Clients
from norn_tasks.router.handover import InheritedSockets
from norn_tasks.router.table import Table
from norn_tasks.store.replicas.routes import Route

BACKLOG = 1024
"""How many connections may wait to be accepted."""

Report = Callable[[str, str | None], None]
"""A function that takes an app and the state of its port: None if the port is open, otherwise a sentence that says why
it is not.
"""


K = TypeVar("K")
"""The type of the key under which a `PortSet` stores a port."""


class PortSet(Generic[K]):
    """A changing set of listening ports. The clients of a port that was closed stay connected until they are done."""

    def __init__(self, table: Table, report: Report, limits: ClientLimits) -> None:
        self.inherited = InheritedSockets()
        """Listening sockets of the router that this one replaces."""
        self._table = table
        self._report = report
        self._limits = limits
        self._ports: dict[K, AppPort] = {}
        self._shut: list[AppPort] = []

    def files(self) -> list[tuple[str, int]]:
        """Returns address and descriptor of each listening socket."""
        return [found for port in list(self._ports.values()) for found in port.files()]

    def leave_to_successor(self) -> None:
        """Accepts no new connections; a client's connection ends after its next answer, or when it has been idle for a
        while.
        """
        for port in self._ports.values():
            port.shut()
            port.clients.leave_with_next_answer()
            self._shut.append(port)
        self._ports.clear()

    @property
    def no_clients(self) -> bool:
        """True when no client has a connection."""
        return all(port.clients.none_left for port in (*self._ports.values(), *self._shut))

    def sweep(self, now: float) -> None:
        """Closes the clients that have been idle, or have been sending one head, for too long."""
        self._shut = [port for port in self._shut if not port.clients.none_left]
        for port in (*self._ports.values(), *self._shut):
            port.clients.sweep(now)

    async def close(self, seconds: float) -> None:
        """Accepts no new connections, ends idle ones, and lets open requests end within `seconds`."""
        ports, self._ports, self._shut = [*self._ports.values(), *self._shut], {}, []
        await close_all(ports, seconds)


class Ports(PortSet[str]):
    """A port for each app. `open_for` opens and closes ports to match the routes, and tries again if a port failed
    before.
    """

    def __init__(self, host: str, table: Table, report: Report, limits: ClientLimits) -> None:
        super().__init__(table, report, limits)
        self._host = host

    async def open_for(self, routes: Iterable[Route]) -> None:
        """Listens for exactly these apps. Called again with the same routes, it retries ports that were taken."""
        numbers = {route.app: route.port for route in routes}
        for app, port in list(self._ports.items()):
            if numbers.get(app) != port.number:
                port.shut()
                self._shut.append(self._ports.pop(app))
        for app, number in numbers.items():
            if app not in self._ports:
                await self._open(app, number)

    async def _open(self, app: str, number: int) -> None:
        port = AppPort(app, number, self._table, self._limits)
        try:
            await port.open(self._host, self.inherited)
        except OSError as error:
            self._report(app, why_not(self._host, number, error))
        else:
            self._ports[app] = port
            self._report(app, None)

    def listening(self) -> tuple[str, ...]:
        """Returns the apps whose port is open."""
        return tuple(self._ports)


class AppPort:
    """The listening port of one app."""

    def __init__(self, app: str, number: int, table: Table, limits: ClientLimits) -> None:
        self.number = number
        self.clients = Clients(app, limits)
        self._app = app
        self._table = table
        self._servers: list[asyncio.Server] = []

    async def open(self, host: str, inherited: InheritedSockets) -> None:
        """Listens, if possible on sockets that another router has opened; raises OSError if the port cannot be
        opened.
        """
        loop = asyncio.get_running_loop()
        self._name = f"{host}:{self.number}"
        new = partial(self._client, self._name.encode())
        if sockets := inherited.take(self._name):
            self._servers = [await loop.create_server(new, sock=each, backlog=BACKLOG) for each in sockets]
            return
        server = await loop.create_server(new, host, self.number, backlog=BACKLOG, reuse_address=True)
        self._servers = [server]
        for listening in server.sockets:  # connections inherit it
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def files(self) -> list[tuple[str, int]]:
        """Returns its address, as the settings have it, with the descriptor of each listening socket."""
        return [(self._name, listening.fileno()) for server in self._servers for listening in server.sockets]

    def _client(self, address: bytes) -> ClientConnection:
        return ClientConnection(self._app, address, self._table, self.clients)

    def shut(self) -> None:
        """Accepts no new connections; open ones continue."""
        for server in self._servers:
            server.close()


async def close_all(ports: Iterable[AppPort], seconds: float) -> None:
    """Accepts no new connections at these ports, ends idle ones, and lets open requests end within `seconds`."""
    ports = tuple(ports)
    for port in ports:
        port.shut()
        port.clients.leave()
    try:
        async with asyncio.timeout(seconds):
            for port in ports:
                await port.clients.wait_until_gone()
    except TimeoutError:
        for port in ports:
            port.clients.abort()
            await port.clients.wait_until_gone()


def why_not(host: str, port: int, error: OSError) -> str:
    """Returns a sentence that says why a port cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another program"
    if error.errno == errno.EACCES:
        return f"port {port} may not be opened by this user"
    return f"{host}:{port} cannot be listened on: {os.strerror(error.errno or 0)}"
