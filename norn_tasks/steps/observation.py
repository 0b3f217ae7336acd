"""The steps that observe clusters and engines and find containers without an owner, and the step that runs a program in
a replica.
"""

from __future__ import annotations

from norn_tasks.domain.errors import EngineDown, Stopped
from norn_tasks.domain.jobs.facts import OrphanedContainers, ProgramExit, RemovedOrphans
from norn_tasks.domain.jobs.job import Problem
from norn_tasks.domain.jobs.requests import ExecJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import ContainersSeen, EngineLook, ImagesSeen, RunsReachSeen, WorkloadSeen, Write
from norn_tasks.ports import Engine, ExecCommand
from norn_tasks.steps.redacted_terminal import RedactedTerminal
from norn_tasks.steps.step import Step, StepContext


class LookAtCluster(Step):
    """Observes the replicas of every app of a cluster, and records them in rows. Lists of apps only read these rows."""

    name = "look-at-cluster"

    def run(self, context: StepContext) -> Learned | None:
        """Records one status per app. If the app has too few replicas, recording its status requests a repair."""
        cluster, engine = context.cluster, context.image_engine.identity()
        return Learned(writes=(WorkloadSeen(cluster.name, cluster.status(), complete=True, engine=engine),))


class EndDrained(Step):
    """Ends the draining replicas (replaced ones that may finish their open connections) that have no open connection
    any longer, or whose time is over.
    """

    name = "end-drained"

    def run(self, context: StepContext) -> Learned | None:
        """Notes how many it ended. A worker that lost the job while it was frozen ends none."""
        return Learned(note=f"{context.cluster.end_drained(context.watch)} ended")


class LookAtEngines(Step):
    """Lists every container of this control plane. When the list is recorded, the ledger finds containers without an
    owner.
    """

    name = "look-at-engine"

    def run(self, context: StepContext) -> Learned | None:
        """Returns the lists. An engine that does not answer is only mentioned in the note."""
        looks, silent = _looks(context)
        note = f"no answer from {', '.join(silent)}" if silent else ""
        return Learned(writes=(ContainersSeen(looks),), note=note)


def _looks(context: StepContext) -> tuple[tuple[EngineLook, ...], list[str]]:
    """Returns an observation of each engine that answers, and the names of the others; raises EngineDown if none
    answers.
    """
    looks: list[EngineLook] = []
    silent: dict[str, EngineDown] = {}
    for name, engine in context.tools.engines.items():
        try:
            seen = tuple((each.id, each.owner, each.age) for each in engine.containers())
            looks.append(EngineLook(engine.identity(), seen))
        except EngineDown as error:
            silent[name] = error
    if silent and not looks:
        raise next(iter(silent.values()))
    return tuple(looks), list(silent)


class LookAtImages(Step):
    """Lists which of Norn's images exist, so that an alert is raised before a scheduled run fails for lack of its
    image.
    """

    name = "look-at-images"

    def run(self, context: StepContext) -> Learned | None:
        """Records the ids of the images that exist."""
        engine = context.image_engine.identity()
        return Learned(writes=(ImagesSeen(engine, context.tools.images.ids() | context.tools.registry_images.ids()),))


class LookAtNetwork(Step):
    """Tests which addresses (other apps through the router, a cloud's metadata) and which features of the kernel the
    containers of runs can reach.
    """

    name = "look-at-network"

    def run(self, context: StepContext) -> Learned | None:
        """Records the result for each engine that answers."""
        seen: list[Write] = []
        for engine in context.tools.engines.values():
            try:
                reach = engine.reach()
                found = (reach.address, reach.host, reach.metadata, reach.io_uring, reach.vsock, reach.runc)
                seen.append(RunsReachSeen(engine.identity(), *found))
            except EngineDown:
                continue  # LookAtEngines has already mentioned it
        return Learned(writes=tuple(seen))


class RemoveOrphans(Step):
    """Removes containers that have no owner, because a killed or frozen worker left them behind."""

    name = "remove-orphans"

    def run(self, context: StepContext) -> Learned | None:
        """Returns the fact with the number of removed containers. A worker that lost the job while it was frozen
        removes none, because the owners may have come back.
        """
        found = context.job.facts.get(OrphanedContainers)
        if found is None or not found.orphaned:
            return None
        removed = sum(_removed(context, engine, found) for engine in context.tools.engines.values())
        looks = ContainersSeen(_looks(context)[0])
        return Learned(facts=(RemovedOrphans(removed),), writes=(looks,), note=f"{removed} removed")


def _removed(context: StepContext, engine: Engine, found: OrphanedContainers) -> int:
    try:
        identity = engine.identity()
    except EngineDown:
        return 0  # the next observation finds them again
    here = [container for place, container in found.orphaned if place == identity]
    for container in here:
        context.watch.stop.check()
        engine.remove(container)
    return len(here)


class RunInReplica(Step):
    """Runs a program in a live replica for a connected client; never runs it twice, because its effects are unknown."""

    name = "run-in-replica"
    patient = False

    def run(self, context: StepContext) -> Learned | None:
        """Returns the fact `exit_code`; ends when the client disconnects."""
        if context.job.claims > 1:
            return Learned(failed=_LOST)
        context.require_hideable()
        reader, command = context.tools.live.terminal(context.job.id, context.watch), _command(context)
        terminal = RedactedTerminal(reader, context.hidden, window=command.tty)
        try:
            code = context.cluster.execute(command, terminal)
        except Stopped:
            if context.watch.stop.reason in ("cancelled", "lease_lost"):
                raise
            return Learned(failed=_GONE if context.watch.stop.reason is None else _RESTARTED)
        terminal.ended(code)
        return Learned(facts=(ProgramExit(code),), note=f"exit {code}")


_LOST = Problem(
    "worker_lost",
    "the worker died while the program ran; whether the program ended is not known",
    "run it again if that is safe",
)
_GONE = Problem("reader_gone", "stopped: the client disconnected")
_RESTARTED = Problem("worker_draining", "it was ended, because its worker is being stopped", "run it again")


def _command(context: StepContext) -> ExecCommand:
    job, request = context.job, context.job.request_as(ExecJobRequest)
    return ExecCommand(
        app=job.app,
        argv=request.command,
        mark=f"{job.id}-{context.tools.limits.instance}",
        replica=request.replica,
        tty=request.tty,
        term=request.term,
        size=request.size,
    )
