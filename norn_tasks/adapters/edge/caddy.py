"""The edge, which is the HTTPS server Caddy on this machine. It serves the host names that the database lists.

Norn finds out through TLS handshakes which certificates Caddy has.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from norn_tasks.adapters.edge.leading import LeadsWhere, ResolveName, addresses_of, leads_where
from norn_tasks.adapters.edge.presented import EdgeSilent, NoCertificate, NotYet, presented
from norn_tasks.domain.tunnel.certificate import Certificate
from norn_tasks.domain.tunnel.external_host import RouteState, SeenRoute
from norn_tasks.domain.tunnel.leading import sign
from norn_tasks.ports import ExternalHosts, Watch

FAULTS = "faults.json"
"""The file in which the process of the edge records why it could not get a certificate for a name."""
KNOWN_SECONDS, PAUSE_SECONDS = 3.0, 0.5
"""For how many seconds a refused handshake is repeated, and the pause between attempts.

Norn's router needs a moment to learn a new name, and Caddy refuses handshakes for the name until then.
"""


@dataclass(frozen=True)
class CaddyEdge:
    """Implements `ports.Edge`."""

    hosts: ExternalHosts
    instance: str
    http_port: int
    https_port: int
    directory: Path
    public: bool = True
    """True if the certificates come from a public issuer, which must be able to reach this server under its names."""
    resolve: ResolveName = field(default=addresses_of)
    seconds: float = 60.0
    """The most seconds to wait for the issuer."""
    refused_seconds: float = KNOWN_SECONDS
    """For how many seconds a refused handshake is repeated."""

    def admit(self, app: str, host: str, watch: Watch) -> SeenRoute:
        """Assigns the name to the app, and gets its certificate; raises HostTaken if another app has the name."""
        self.hosts.claim(app, host, watch.fence)
        watch.stop.check()
        return self.look(host)

    def look(self, host: str) -> SeenRoute:
        """Returns a SeenRoute that says whether the name leads to this server and has a certificate; if it has none,
        the edge requests one.
        """
        where = leads_where(host, sign(self.instance), (80, self.http_port), self.resolve)
        if where.fault and where.sure and self.public:
            return SeenRoute(host, RouteState.NOT_ROUTED, where.fault)
        try:
            found = self._awaited(host)
        except EdgeSilent as error:
            reason = f"nothing serves port {self.https_port} of this machine ({error}); norn doctor says why"
            return SeenRoute(host, RouteState.NOT_ROUTED, reason)
        except NoCertificate as error:
            return SeenRoute(host, RouteState.NOT_ROUTED, self._why(host, str(error), where))
        return SeenRoute(host, RouteState.ROUTED, where.fault, found)

    def _awaited(self, host: str) -> Certificate:
        """Returns the certificate as soon as the edge has it; raises NoCertificate or EdgeSilent."""
        began, start = time.time(), time.monotonic()
        while True:
            try:
                return presented(host, self.https_port)
            except NotYet:
                if time.monotonic() > start + self.seconds or self._fault(host, began):
                    raise
            except NoCertificate:
                # Caddy may log the fault a moment later. After a logged fault no other handshake is made, because it
                # would make Caddy order a certificate again.
                time.sleep(PAUSE_SECONDS)
                if time.monotonic() > start + self.refused_seconds or self._fault(host, began):
                    raise

    def _why(self, host: str, said: str, where: LeadsWhere) -> str:
        fault = self._fault(host) or f"{said}; norn logs --server edge says why"
        also = f"; also, {where.fault}" if where.fault else ""
        return f"no certificate for {host}: {fault}{also}"

    def _fault(self, host: str, since: float = 0.0) -> str:
        """Returns why the edge could not get a certificate for the name since `since`; empty if no failure is
        recorded.
        """
        try:
            error, at = json.loads((self.directory / FAULTS).read_text())[host]
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        return str(error) if at >= since else ""
