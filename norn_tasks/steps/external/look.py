"""Observes the tunnel and its DNS records: whether public names still lead to their apps."""

from __future__ import annotations

from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import TunnelSeen
from norn_tasks.domain.tunnel.external_host import seen_route
from norn_tasks.steps.step import Step, StepContext


class LookAtTunnel(Step):
    """Compares the tunnel's rules and the DNS records with those that Norn created, and stores the result for `status`
    and `doctor`.
    """

    name = "look-at-tunnel"

    def run(self, context: StepContext) -> Learned | None:
        """Records the state of each name. An observation without an answer changes no state."""
        tools, stop = context.tools, context.watch.stop
        rules, records = tools.tunnel.look(stop), tools.dns.look(stop)
        if rules is None or records is None:
            return Learned(skipped=True, note="no tunnel is configured")
        checks = (*rules.checks, *records.checks)
        if not all(check.good for check in checks):
            return Learned(writes=(TunnelSeen(checks, ()),), note=next(c.sentence for c in checks if not c.good))
        seen = tuple(seen_route(known, rules, records) for known in tools.hosts.all())
        return Learned(writes=(TunnelSeen(checks, seen),))
