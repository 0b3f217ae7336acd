"""Keeps a tunnel's rules in its configuration at Cloudflare. cloudflared applies changes of that configuration without
a restart.

Each write replaces the complete configuration, and Cloudflare cannot refuse a write that is based on an old version. So
only one job at a time reads, edits and writes it. After a write without an answer, the configuration is read again to
see whether it was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from norn_tasks.adapters.cloudflare.client import CloudflareClient, Unanswered
from norn_tasks.adapters.cloudflare.rules import Edit
from norn_tasks.adapters.cloudflare.site import FoundTunnel, TunnelSite, find_tunnel
from norn_tasks.adapters.cloudflare.waiting import Waiting
from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.tunnel.external_host import ExternalHost, RulesLook, TunnelCheck
from norn_tasks.domain.tunnel.ingress import RawRule
from norn_tasks.domain.tunnel.rules import fault_of
from norn_tasks.ports import Stop

_WRITES = 5
"""How many times a change is tried before its failure is raised."""
_SILENT = {
    "inactive": "no cloudflared has ever run the tunnel {name}; docs/tunnel.md says how one is started",
    "down": "no cloudflared is connected to the tunnel {name}; docs/tunnel.md says how one is started",
}


@dataclass(frozen=True)
class RemoteRules:
    """Implements `RuleKeeper` through Cloudflare's API."""

    client: CloudflareClient
    site: TunnelSite

    def read(self, waiting: Waiting) -> list[RawRule]:
        """Returns the tunnel's present rules."""
        return _ingress(self._configuration(self._tunnel(waiting), waiting))

    def change(self, edit: Edit, waiting: Waiting, *, unfinished: bool) -> bool:
        """Writes the edited rules if they differ from the present ones, and returns True if it did. If a write gets no
        answer, reads the rules again, and repeats the write if necessary; raises Unanswered after the last try.
        """
        tunnel, written = self._tunnel(waiting), False
        for left in reversed(range(_WRITES)):
            configuration = self._configuration(tunnel, waiting)
            rules = _ingress(configuration)
            wanted = edit(rules)
            if wanted == rules:
                return written
            written = True
            try:
                body = {"config": {**configuration, "ingress": wanted}}
                self.client.change("PUT", self._path(tunnel), "write the tunnel's rules", waiting, body)
                # raises if another job may have got the turn during the write; the step then starts again
                waiting.keep()
                return True
            except Unanswered:
                if not left:
                    raise
                waiting.pause(0.5 * (_WRITES - left))
        raise AssertionError("the last write returns or raises")

    def look(self, known: Sequence[ExternalHost], stop: Stop) -> RulesLook:
        """Compares the rules with the host names in Norn's database."""
        waiting = Waiting(stop)
        try:
            tunnel = self._tunnel(waiting)
            rules = _ingress(self._configuration(tunnel, waiting))
        except TunnelFailed as error:
            return RulesLook((TunnelCheck("tunnel", False, error.sentence, error.hint),), {})
        ruled = [each for each in known if each.ruled and each.service is not None and not each.leaving]
        faults = {each.host: fault_of(rules, each.host, each.service or "") for each in ruled}
        silent = _SILENT.get(tunnel.status, "").format(name=tunnel.name)
        sentence = silent or f"the tunnel {tunnel.name} is {tunnel.status or 'there'} with {len(rules)} rules"
        return RulesLook((TunnelCheck("tunnel", True, sentence),), faults, silent)

    def _tunnel(self, waiting: Waiting) -> FoundTunnel:
        tunnel = find_tunnel(self.client, self.site, waiting)
        if tunnel.local:
            raise TunnelFailed(
                f"the tunnel {tunnel.name} takes its rules from a file beside its cloudflared",
                hint="migrate it in the dashboard of Zero Trust, or name its ConfigMap in NORN_CLOUDFLARE_CONFIG_MAP",
            )
        return tunnel

    def _configuration(self, tunnel: FoundTunnel, waiting: Waiting) -> dict[str, Any]:
        found = self.client.get(self._path(tunnel), "read the tunnel's rules", waiting) or {}
        return dict(found.get("config") or {})

    def _path(self, tunnel: FoundTunnel) -> str:
        return f"/accounts/{self.site.account}/cfd_tunnel/{tunnel.id}/configurations"


def _ingress(configuration: dict[str, Any]) -> list[RawRule]:
    return list(configuration.get("ingress") or [])
