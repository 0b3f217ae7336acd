"""DNS: the record that points `hosts.external` at the tunnel."""

from __future__ import annotations

from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.tunnel.external_host import RouteOutcome
from norn_tasks.steps.step import Step, StepContext

NO_RECORD = "no record to make"


class CreateDnsRoute(Step):
    """Creates the DNS record of the app's public name, and removes the record of a name that the app no longer has."""

    name = "create-dns-route"

    def run(self, context: StepContext) -> Learned | None:
        """Points the name at the tunnel."""
        dns, app, host = context.tools.dns, context.job.app, context.spec.hosts.external
        if host is None:
            return _learned(dns.unpoint(app, context.watch))
        if not any(each.host == host for each in context.tools.hosts.of_app(app)):
            return Learned(skipped=True, note="the tunnel has no rule that it would point at")
        return _learned(dns.point(app, host, context.watch))


class RemoveDnsRoute(Step):
    """Removes the DNS records of the app's public names."""

    name = "remove-dns-route"

    def run(self, context: StepContext) -> Learned | None:
        """Removes the records, and notes a record that Norn cannot remove."""
        return _learned(context.tools.dns.unpoint(context.job.app, context.watch))


def _learned(outcome: RouteOutcome) -> Learned:
    return Learned(skipped=not outcome.changed, note=outcome.note or NO_RECORD)
