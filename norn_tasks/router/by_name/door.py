"""The door: one port for all public host names. The name in the header `Host` says which app a request is for.

The edge (the HTTPS server Caddy) and the tunnel send their requests to this port, so neither must be reconfigured when
replicas, ports or apps change. The door also says whether a name may have a certificate, and returns the sign, a text
by which a server recognises its own names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from norn_tasks.domain.tunnel import leading
from norn_tasks.router.client import ClientConnection, Exchange, Requester
from norn_tasks.router.clients import ClientLimits, Clients
from norn_tasks.router.ports import AppPort, PortSet, Report, why_not
from norn_tasks.router.protocol import answers
from norn_tasks.router.protocol.requests import ClientRequest
from norn_tasks.router.table import Table
from norn_tasks.store.replicas.routes import Routes

ASK = "/ask"
"""The path at which the edge asks whether a name may have a certificate."""

_HOST = re.compile(rb"\r\nhost:[ \t]*([^\r\n]*)", re.IGNORECASE)
_PORT = re.compile(r":\d+$")


class PublicDoor(PortSet[int]):
    """The port for public names, if the settings give it a number. If it cannot listen, `report` is called with the
    reason.
    """

    def __init__(
        self, host: str, number: int | None, table: Table, report: Report, limits: ClientLimits, *, asked_at: str = ""
    ) -> None:
        """Creates the port. `asked_at` is the address that the edge uses, which may differ from the listening
        address.
        """
        super().__init__(table, report, limits)
        self._host, self._number, self._asked_at = host, number, asked_at

    async def open_for(self, read: Routes) -> None:
        """Opens the port, and serves exactly the public names of these routes."""
        if self._number is None:
            return
        known = self._ports.get(self._number)
        if isinstance(known, DoorPort):
            known.serve(read)
            return
        port = DoorPort(self._number, self._table, self._limits, self._asked_at)
        port.serve(read)
        try:
            await port.open(self._host, self.inherited)
        except OSError as error:
            self._report("", why_not(self._host, self._number, error))
        else:
            self._ports[self._number] = port
            self._report("", None)

    @property
    def failing(self) -> bool:
        """True if the port should be open and is not."""
        return self._number is not None and not self._ports


class DoorPort(AppPort):
    """The door's listening port."""

    def __init__(self, number: int, table: Table, limits: ClientLimits, asked_at: str) -> None:
        super().__init__("the port for public names", number, table, limits)
        self.asked_at = asked_at.lower()
        self.names: Mapping[str, str] = {}
        self.pages: Mapping[str, str] = {}
        self.sign = ""

    def serve(self, read: Routes) -> None:
        """Replaces the served names, and the pages of apps in maintenance."""
        self.names = {route.external: route.app for route in read.routes if route.external is not None}
        self.pages = {route.app: route.maintenance for route in read.routes if route.maintenance is not None}
        self.sign = leading.sign(read.instance)

    def _client(self, address: bytes) -> ClientConnection:
        return DoorConnection(self, address, self._table, self.clients)


class DoorConnection(ClientConnection):
    """A connection of the edge, of the tunnel, or of a local program; each request names its host."""

    def __init__(self, port: DoorPort, address: bytes, table: Table, clients: Clients) -> None:
        super().__init__("", address, table, clients)
        self._port, self._own = port, {address.decode().lower(), port.asked_at} - {""}

    def _exchange_for(self, request: ClientRequest) -> Exchange:
        raw = request.head.raw
        found = _HOST.search(raw)
        host = found[1].decode("latin-1").strip().lower() if found else ""
        target = raw[: raw.index(b"\r\n")].split(b" ")[1].decode("latin-1")
        closing = self._clients.leaving
        if host in self._own and target.startswith(f"{ASK}?"):
            return _Said(self, request, self._table, self._may_have_a_certificate(target), closing=closing)
        if target == leading.PATH:
            return _Said(self, request, self._table, (200, self._port.sign), closing=closing)
        name = _PORT.sub("", host).rstrip(".")
        app = self._port.names.get(name)
        if app is None:
            said = (404, f"no app of this server has the name {_shown(name)}")
            return _Said(self, request, self._table, said, closing=closing)
        page = self._port.pages.get(app)
        if page is not None:
            return _Closed(self, request, app, self._table, page, closing=closing)
        return Exchange(self, request, app, self._table, closing=closing)

    def _may_have_a_certificate(self, target: str) -> tuple[int, str]:
        names = parse_qs(urlsplit(target).query).get("domain", [])
        name = names[0].lower().rstrip(".") if len(names) == 1 else ""
        return (200, f"{name} is a name of this server") if name in self._port.names else (404, "unknown name")


class _Said(Exchange):
    """A request that the door itself answers, with a sentence."""

    def __init__(
        self, client: Requester, request: ClientRequest, table: Table, said: tuple[int, str], *, closing: bool
    ) -> None:
        super().__init__(client, request, "", table, closing=closing)
        self._said = said

    def send(self) -> None:
        """Sends the sentence."""
        self._answer(*self._said)


class _Closed(Exchange):
    """A request to an app in maintenance. It is answered with the app's page and reaches no replica."""

    def __init__(
        self, client: Requester, request: ClientRequest, app: str, table: Table, page: str, *, closing: bool
    ) -> None:
        super().__init__(client, request, app, table, closing=closing)
        self._page = page

    def send(self) -> None:
        """Sends the page."""
        self._close_if_unsure()
        self._say(answers.page(self._page, method=self.request.head.method, closing=self.closing))


def _shown(name: str) -> str:
    """Returns a name that is safe to show: characters that host names cannot have are replaced."""
    return re.sub(r"[^a-z0-9.-]", "?", name)[:253] or "that it was asked for"
