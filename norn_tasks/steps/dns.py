"""DNS: the record that points `hosts.external` at the tunnel."""

from __future__ import annotations

from norn_tasks.domain.errors import NotYet
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.step import Learned
from norn_tasks.steps.step import Context, Step


class CreateDnsRoute(Step):
    """Says that the app has no DNS record: without a tunnel there is nothing to point at."""

    name = "create-dns-route"

    def skip_reason(self, spec: Infraspec) -> str | None:
        """An app without `hosts.external` needs no record."""
        return "no hosts.external" if spec.hosts.external is None else "no tunnel configured"

    def run(self, context: Context) -> Learned | None:
        """Refuses: every app skips this step."""
        raise NotYet("DNS routes are not there yet", hint="use the router's URL: norn open")


class RemoveDnsRoute(CreateDnsRoute):
    """Says that there is no record to take away."""

    name = "remove-dns-route"
