"""Looking: what the cluster and the engine have, which containers lost their owner, what the replicas log."""

from __future__ import annotations

from norn_tasks.domain.step import Learned
from norn_tasks.domain.writes import ContainersSeen, WorkloadSeen
from norn_tasks.steps.step import Context, Step


class LookAtCluster(Step):
    """Looks at every app's replicas; status lists read only what it leaves behind."""

    name = "look-at-cluster"

    def run(self, context: Context) -> Learned | None:
        """Writes one status per app; an app that has too few replicas is repaired because of it."""
        engine = context.tools.runtimes["docker"].identity()
        return Learned(writes=(WorkloadSeen(context.tools.cluster.status(), complete=True, engine=engine),))


class LookAtEngine(Step):
    """Looks at every container of ours; writing it down learns which have no owner any more."""

    name = "look-at-engine"

    def run(self, context: Context) -> Learned | None:
        """Learns `orphans`."""
        seen = context.tools.runtimes["docker"].seen()
        return Learned(writes=(ContainersSeen(tuple((c.id, c.owner, c.age) for c in seen)),))


class RemoveOrphans(Step):
    """Removes containers whose owner is gone: what a killed worker or a frozen one left behind."""

    name = "remove-orphans"

    def run(self, context: Context) -> Learned | None:
        """Notes how many there were."""
        orphans = list(context.job.facts.get("orphans", ()))
        for container in orphans:
            context.tools.runtimes["docker"].remove(container)
        return Learned(note=f"{len(orphans)} removed" if orphans else "")


class ReadLogs(Step):
    """Reads an app's logs from its replicas into the job's live stream, as long as somebody reads there."""

    name = "read-logs"
    patient = False

    def run(self, context: Context) -> Learned | None:
        """Ends when the logs end, or when nobody reads any more; why it failed, readers learn from the job."""
        job, tools = context.job, context.tools
        for sealed in job.sealed:
            # What cannot be opened cannot be hidden: such logs are not read at all.
            tools.vault.open(sealed)
        emit = tools.live.of_job(job.id, context.watch)
        tail, follow = int(job.args["tail"]), bool(job.args["follow"])
        tools.cluster.logs(job.app, tail, follow, emit.line, emit.stop, context.hidden)
        emit.end()
        return None
