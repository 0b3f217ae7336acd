"""The tunnel's rule through which clients on the internet reach a webserver under `hosts.external`."""

from __future__ import annotations

from norn_tasks.domain.jobs.facts import ServiceAddress
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.tunnel.external_host import RouteOutcome
from norn_tasks.steps.step import Step, StepContext

NO_HOST = "no hosts.external"


class RouteTunnel(Step):
    """Creates the tunnel's rule for the app's public name, and removes the rule for a name that the app no
    longer has.
    """

    name = "route-tunnel"

    def run(self, context: StepContext) -> Learned | None:
        """Points the name at the router's address for all public names, or at the address that the cluster gave."""
        tunnel, app, host = context.tools.tunnel, context.job.app, context.spec.hosts.external
        if host is None:
            return _learned(tunnel.unroute(app, context.watch))
        exposed = context.job.facts.get(ServiceAddress)
        if exposed is None:  # an older version of Norn created the service, and this job continued after the upgrade
            return Learned(skipped=True, note=f"norn forge {app} routes {host}")
        door = context.tools.limits.door if through_router(context) else None
        return _learned(tunnel.route(app, host, door or exposed.address, context.watch))


def through_router(context: StepContext) -> bool:
    """Returns True if the router serves the app: the app runs on Docker, or has moved from Docker to another cluster
    and kept its address at the router.
    """
    if context.job.cluster is None:
        return False
    exposed, door = context.job.facts.get(ServiceAddress), context.tools.limits.door
    if context.cluster.engine is not None or exposed is None or door is None:
        return context.cluster.engine is not None
    return exposed.address.rpartition(":")[0] == door.rpartition(":")[0]


class UnrouteTunnel(Step):
    """Removes the rules of the app's public names."""

    name = "unroute-tunnel"

    def run(self, context: StepContext) -> Learned | None:
        """Removes every rule of the tunnel that leads to the app."""
        return _learned(context.tools.tunnel.unroute(context.job.app, context.watch))


def _learned(outcome: RouteOutcome) -> Learned:
    return Learned(skipped=not outcome.changed, note=outcome.note or NO_HOST)
