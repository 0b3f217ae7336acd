"""The ports for cron runs, calls and other runs, at the address of their network's bridge on this machine.

Runs are on a network on which containers cannot reach one another, so that they stay isolated. They can reach only the
machine. So the router listens on the machine's address at the ports of the webservers' containers, and the name in
`Host` says which app is meant: `http://blog:8080` leads from a cron run to the same program as from another replica.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from ipaddress import IPv4Interface, ip_address

import structlog

from norn_tasks.router.client import ClientConnection
from norn_tasks.router.clients import ClientLimits, Clients
from norn_tasks.router.ports import AppPort, PortSet, Report, why_not
from norn_tasks.router.protocol.requests import ClientRequest
from norn_tasks.router.table import Table
from norn_tasks.store.replicas.routes import Route

_HOST = re.compile(rb"\r\nhost:[ \t]*([^\r\n:]*)", re.IGNORECASE)

DATABASES = frozenset({5432, 6379, 25432, 26379})
"""The ports of PostgreSQL and Redis, and the ports of the servers that apps share. The router leaves them free for
databases on this machine. It could not forward to a database, because it only speaks HTTP.
"""

log = structlog.get_logger(__name__)


class RunPorts(PortSet[int]):
    """One listening port for each port number that a webserver's container has; `report` is called with the state of an
    app's port.

    It never takes a port of `reserved`, or of a database: an app could otherwise keep Norn's own processes, or a
    database, from listening there.
    """

    def __init__(self, table: Table, report: Report, limits: ClientLimits, reserved: Container[int] = ()) -> None:
        super().__init__(table, report, limits)
        self._reserved = reserved
        self._address: IPv4Interface | None = None
        self.failing = False
        """True while a port could not be opened."""

    async def open_for(self, address: str | None, routes: Iterable[Route]) -> None:
        """Listens for exactly these apps at an address such as 172.20.0.1/16; without an address, listens nowhere."""
        at = IPv4Interface(address) if address else None
        names: dict[int, dict[str, str]] = defaultdict(dict)
        for route in routes:
            if at is not None and route.host is not None and route.container_port is not None:
                names[route.container_port][route.host] = route.app
        for number in [number for number in self._ports if number not in names or at != self._address]:
            port = self._ports.pop(number)
            port.shut()
            self._shut.append(port)
        self._address, self.failing = at, False
        for number, apps in names.items():
            error = await self._open(number, apps, at) if at is not None else None
            self.failing |= error is not None
            for app in apps.values():
                self._report(app, error)

    async def _open(self, number: int, apps: Mapping[str, str], at: IPv4Interface) -> str | None:
        """Returns a sentence that says why the port cannot be opened; None when it is open."""
        known = self._ports.get(number)
        if isinstance(known, RunPort):
            known.apps = apps
            return None
        if number in self._reserved:
            return f"port {number} is one of Norn's own"
        if number in DATABASES:
            return f"port {number} is left to databases"
        port = RunPort(number, self._table, self._limits, at)
        port.apps = apps
        try:
            await port.open(str(at.ip), self.inherited)
        except OSError as error:
            return why_not(str(at.ip), number, error)
        self._ports[number] = port
        return None


class RunPort(AppPort):
    """A listening port that several apps may share; `apps` maps internal host names to apps."""

    def __init__(self, number: int, table: Table, limits: ClientLimits, at: IPv4Interface) -> None:
        super().__init__(f"port {number} of runs", number, table, limits)
        self.apps: Mapping[str, str] = {}
        self._at = at

    def _client(self, address: bytes) -> ClientConnection:
        return RunConnection(self, address, self._table, self.clients, self._at)


class RunConnection(ClientConnection):
    """The connection of a run; each of its requests names its app."""

    _taken = False

    def __init__(self, port: RunPort, address: bytes, table: Table, clients: Clients, at: IPv4Interface) -> None:
        super().__init__("", address, table, clients)
        self._port, self._at = port, at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepts connections only from the runs' network, because a neighbouring machine may know the address too."""
        peer = transport.get_extra_info("peername")
        if peer is not None and ip_address(peer[0]) in self._at.network:
            self._taken = True
            super().connection_made(transport)
        else:
            self._closing = True
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Ends the open exchange, if this connection was accepted."""
        if self._taken:
            super().connection_lost(error)

    def eof_received(self) -> bool:
        """Notes that the client sends no more, unless the connection is closing."""
        return self._closing or super().eof_received()

    def _begin(self, request: ClientRequest) -> None:
        self._app = self._named(request)
        super()._begin(request)

    def _named(self, request: ClientRequest) -> str:
        """Returns the app that the request names; for an unknown name, a text that no app has as its name."""
        found = _HOST.search(request.head.raw)
        host = found[1].decode("latin-1").strip().rstrip(".").lower() if found else ""
        return self._port.apps.get(host) or f"{host}:{self._port.number}"
