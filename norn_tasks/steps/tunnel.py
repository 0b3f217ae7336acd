"""The tunnel: the rule that lets the outside reach a webserver under `hosts.external`."""

from __future__ import annotations

from norn_tasks.domain.errors import NotYet
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.step import Learned
from norn_tasks.steps.step import Context, Step

NOT_CONFIGURED = "no tunnel configured"


class RouteTunnel(Step):
    """Says that the app is not routed from outside: this server has no tunnel."""

    name = "route-tunnel"

    def skip_reason(self, spec: Infraspec) -> str | None:
        """An app without `hosts.external` needs no rule."""
        return "no hosts.external" if spec.hosts.external is None else NOT_CONFIGURED

    def run(self, context: Context) -> Learned | None:
        """Refuses: every app skips this step."""
        raise NotYet("tunnels are not there yet", hint="use the router's URL: norn open")


class UnrouteTunnel(RouteTunnel):
    """Says that there is no rule to take away."""

    name = "unroute-tunnel"
