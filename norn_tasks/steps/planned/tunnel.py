"""The tunnel: the rule that lets the outside reach a webserver under `hosts.external`."""

from __future__ import annotations

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.infraspec.later import NO_TUNNEL
from norn_tasks.steps.step import NotThereYet


class RouteTunnel(NotThereYet):
    """Says that the app is not routed from outside: tunnels are not there yet."""

    name = "route-tunnel"

    def skip_reason(self, spec: Infraspec) -> str:
        """Returns why: an app without `hosts.external` needs no rule."""
        return "no hosts.external" if spec.hosts.external is None else NO_TUNNEL


class UnrouteTunnel(RouteTunnel):
    """Says that there is no rule to take away."""

    name = "unroute-tunnel"
