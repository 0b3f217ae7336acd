"""DNS: the record that points `hosts.external` at the tunnel."""

from __future__ import annotations

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.infraspec.later import NO_TUNNEL
from norn_tasks.steps.step import NotThereYet


class CreateDnsRoute(NotThereYet):
    """Says that the app has no DNS record: without a tunnel there is nothing to point at."""

    name = "create-dns-route"

    def skip_reason(self, spec: Infraspec) -> str:
        """Returns why: an app without `hosts.external` needs no record."""
        return "no hosts.external" if spec.hosts.external is None else NO_TUNNEL


class RemoveDnsRoute(CreateDnsRoute):
    """Says that there is no record to take away."""

    name = "remove-dns-route"
