"""The edge (the HTTPS server): serves the public name of a webserver, with a certificate that exists before the first
visitor.
"""

from __future__ import annotations

from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import EdgeSeen
from norn_tasks.domain.tunnel.external_host import RouteState, SeenRoute
from norn_tasks.steps.external.tunnel import through_router
from norn_tasks.steps.step import Step, StepContext

NO_EDGE = "no edge (NORN_EDGE)"


class RouteEdge(Step):
    """Makes the edge serve the app under its public name, and gets a certificate for the name.

    The forge does not fail if the name leads elsewhere or gets no certificate: the app serves at its own address, and
    `norn status` says what is missing.
    """

    name = "route-edge"

    def run(self, context: StepContext) -> Learned | None:
        """Admits the name; records whether it leads to this server, and until when its certificate is valid."""
        job, host = context.job, context.spec.hosts.external
        if host is None:
            return Learned(skipped=True, note="no hosts.external")
        if not through_router(context):
            return Learned(skipped=True, note="the edge serves only apps behind the router")
        seen = context.tools.edge.admit(job.app, host, context.watch)
        if seen is None:
            return Learned(skipped=True, note=NO_EDGE)
        return Learned(writes=(EdgeSeen((seen,)),), note=_note(seen))


class LookAtEdge(Step):
    """Observes the names that the edge serves: whether they lead to this server, and until when their certificates are
    valid.
    """

    name = "look-at-edge"

    def run(self, context: StepContext) -> Learned | None:
        """Records the state of each name that is due. A name is rarely due, because an observation may request a
        certificate.
        """
        edge, stop = context.tools.edge, context.watch.stop
        seen: list[SeenRoute] = []
        for known in context.tools.hosts.due_at_edge():
            stop.check()
            found = edge.look(known.host)
            if found is None:
                return Learned(skipped=True, note=NO_EDGE)
            seen.append(found)
        return Learned(writes=(EdgeSeen(tuple(seen)),), skipped=not seen, note="" if seen else "no name is due")


def _note(seen: SeenRoute) -> str:
    if seen.state is not RouteState.ROUTED:
        return f"{seen.state}: {seen.reason}"
    certificate = f"https://{seen.host} ({seen.certificate.note})" if seen.certificate else seen.host
    return f"{certificate}; {seen.reason}" if seen.reason else certificate
