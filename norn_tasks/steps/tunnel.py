"""The tunnel: the rule that lets the outside reach a webserver under `hosts.external`."""

from __future__ import annotations

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.steps.step import NotThereYet

NOT_CONFIGURED = "no tunnel configured"


class RouteTunnel(NotThereYet):
    """Says that the app is not routed from outside: this server has no tunnel."""

    name = "route-tunnel"

    def skip_reason(self, spec: Infraspec) -> str:
        """An app without `hosts.external` needs no rule."""
        return "no hosts.external" if spec.hosts.external is None else NOT_CONFIGURED


class UnrouteTunnel(RouteTunnel):
    """Says that there is no rule to take away."""

    name = "unroute-tunnel"
