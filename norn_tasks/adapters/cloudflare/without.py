"""The adapters that are used when no tunnel is configured. They route nothing, and list what an earlier configuration
left behind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from norn_tasks.domain.tunnel.external_host import RecordsLook, RouteOutcome, RulesLook
from norn_tasks.ports import ExternalHosts, Stop, Watch

NO_TUNNEL = "no tunnel configured"


@dataclass(frozen=True)
class NoTunnel:
    """Implements `ports.Tunnel` where no tunnel is configured."""

    hosts: ExternalHosts

    def route(self, app: str, host: str, service: str, watch: Watch) -> RouteOutcome:
        """Routes nothing."""
        return RouteOutcome(False, NO_TUNNEL)

    def unroute(self, app: str, watch: Watch) -> RouteOutcome:
        """Lists the rules that remain at a tunnel that was configured earlier, and deletes their rows."""
        left = [each for each in self.hosts.of_app(app) if each.service is not None]
        self.hosts.release(app, watch.fence)
        for each in left:
            self.hosts.save(replace(each, leaving=True, service=None, ruled=False), watch.fence)
        names = ", ".join(each.host for each in left)
        return RouteOutcome(bool(left), f"left at the tunnel, which is no longer configured: {names}" if left else "")

    def look(self, stop: Stop) -> RulesLook | None:
        """Returns None: there are no rules to compare."""
        return None


@dataclass(frozen=True)
class NoDns:
    """Implements `ports.Dns` where no tunnel is configured."""

    hosts: ExternalHosts

    def point(self, app: str, host: str, watch: Watch) -> RouteOutcome:
        """Makes no record."""
        return RouteOutcome(False, NO_TUNNEL)

    def unpoint(self, app: str, watch: Watch) -> RouteOutcome:
        """Lists the records that remain in Cloudflare's DNS, and deletes their rows."""
        left = [each for each in self.hosts.of_app(app) if each.record is not None]
        for each in left:
            self.hosts.save(replace(each, record=None, recorded=False), watch.fence)
        names = ", ".join(each.host for each in left)
        return RouteOutcome(bool(left), f"left in Cloudflare's DNS: the CNAME of {names}" if left else "")

    def look(self, stop: Stop) -> RecordsLook | None:
        """Returns None: there are no records to compare."""
        return None
