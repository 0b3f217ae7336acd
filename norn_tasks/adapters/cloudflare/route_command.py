"""Creates DNS records with the command `cloudflared tunnel route dns`, for operators who give Norn no API token.

The command cannot remove a record, so a teardown leaves records in Cloudflare's DNS and lists them in its outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from norn_tasks.adapters.processes.process import Command, base_environment, run
from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.tunnel.external_host import ExternalHost, RecordsLook, RouteOutcome
from norn_tasks.ports import ExternalHosts, Stop, Watch

BY_COMMAND: Final = "command"
"""The note in a host name's row that says that the command cloudflared created the record."""
_SECONDS = 60.0
_TAKEN = "already exists"
_CERT = "cert.pem"
_LOGIN = "NORN_CLOUDFLARE_CERT must name the certificate that `cloudflared tunnel login` writes"


@dataclass(frozen=True)
class RouteCommand:
    """Implements `ports.Dns` with the command `program`; `cert` is the certificate file that `cloudflared tunnel login`
    wrote.
    """

    hosts: ExternalHosts
    program: str
    tunnel: Callable[[], str]
    cert: Path | None = None

    def point(self, app: str, host: str, watch: Watch) -> RouteOutcome:
        """Points the host name at the tunnel. Records of names that the app no longer has stay in the DNS, and the
        outcome lists them.
        """
        known = self.hosts.of_app(app)
        mine = next((each for each in known if each.host == host and not each.leaving), None)
        if mine is None:
            raise TunnelFailed(f"{host} has no rule at the tunnel yet", hint=f"norn forge {app}")
        self.hosts.save(replace(mine, record=BY_COMMAND, recorded=mine.recorded), watch.fence)
        self._route(self._tunnel(), host, watch)
        self.hosts.save(replace(mine, record=BY_COMMAND, recorded=True), watch.fence)
        left = self._left([each for each in known if each.leaving], watch)
        return RouteOutcome(not mine.recorded or bool(left), "; ".join([f"{host} points at the tunnel", *left]))

    def unpoint(self, app: str, watch: Watch) -> RouteOutcome:
        """Marks all names of the app for removal, lists the records that stay in Cloudflare's DNS, and forgets them."""
        self.hosts.release(app, watch.fence)
        left = self._left(self.hosts.of_app(app), watch)
        return RouteOutcome(bool(left), "; ".join(left))

    def look(self, stop: Stop) -> RecordsLook | None:
        """Returns no findings: the command cannot read records."""
        return RecordsLook((), {})

    def _route(self, tunnel: str, host: str, watch: Watch) -> None:
        own = {"TUNNEL_ORIGIN_CERT": str(self.cert.expanduser())} if self.cert is not None else {}
        ended = run(
            Command(
                what="cloudflared tunnel route dns",
                argv=[self.program, "tunnel", "route", "dns", tunnel, host],
                env={**base_environment(), **own},
                timeout=_SECONDS,
                say=watch.say,
                stop=watch.stop,
            )
        )
        if ended.code:
            raise _refused(host, ended.last_lines)

    def _left(self, going: Sequence[ExternalHost], watch: Watch) -> list[str]:
        made = [each for each in going if each.record is not None]
        for each in made:
            self.hosts.save(replace(each, record=None, recorded=False), watch.fence)
        if not made:
            return []
        names = ", ".join(each.host for each in made)
        return [f"left in Cloudflare's DNS: the CNAME of {names}, which only its dashboard or an API token removes"]

    def _tunnel(self) -> str:
        tunnel = self.tunnel()
        if not tunnel:
            raise TunnelFailed("the tunnel is not named", hint="NORN_CLOUDFLARE_TUNNEL, or tunnel: in config.yaml")
        return tunnel


def _refused(host: str, lines: Sequence[str]) -> TunnelFailed:
    said = lines[-1] if lines else "it said nothing"
    if any(_TAKEN in line for line in lines):
        return TunnelFailed(
            f"{host} already has a DNS record that Norn did not make",
            hint="remove that record in Cloudflare's dashboard, or choose another hosts.external",
        )
    hint = _LOGIN if any(_CERT in line for line in lines) else ""
    return TunnelFailed(f"cloudflared could not make the DNS record of {host}: {said}", hint=hint)
