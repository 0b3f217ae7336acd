"""Looking: what the cluster and the engine have, which containers lost their owner, what the replicas log."""

from __future__ import annotations

from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.job import Problem
from norn_tasks.domain.step import Learned
from norn_tasks.domain.writes import ContainersSeen, ImagesSeen, WorkloadSeen
from norn_tasks.ports import Command
from norn_tasks.steps.hidden_terminal import HiddenTerminal
from norn_tasks.steps.step import Context, Step


class LookAtCluster(Step):
    """Looks at every app's replicas; status lists read only what it leaves behind."""

    name = "look-at-cluster"

    def run(self, context: Context) -> Learned | None:
        """Writes one status per app; an app that has too few replicas is repaired because of it."""
        if not context.job.args.get("home", True):
            return Learned(skipped=True, note="webservers and workers are on another engine")
        engine = context.tools.runtimes["docker"].identity()
        return Learned(writes=(WorkloadSeen(context.tools.cluster.status(), complete=True, engine=engine),))


class LookAtEngine(Step):
    """Looks at every container of ours; writing it down learns which have no owner any more."""

    name = "look-at-engine"

    def run(self, context: Context) -> Learned | None:
        """Learns `orphans`."""
        docker = context.tools.runtimes["docker"]
        seen = tuple((c.id, c.owner, c.age) for c in docker.seen())
        return Learned(writes=(ContainersSeen(seen, docker.identity()),))


class LookAtImages(Step):
    """Looks which images of ours are there: a schedule whose image is gone is told before its next run fails."""

    name = "look-at-images"

    def run(self, context: Context) -> Learned | None:
        """Writes their ids."""
        engine = context.tools.runtimes["docker"].identity()
        return Learned(writes=(ImagesSeen(engine, context.tools.images.ids()),))


class RemoveOrphans(Step):
    """Removes containers whose owner is gone: what a killed worker or a frozen one left behind."""

    name = "remove-orphans"

    def run(self, context: Context) -> Learned | None:
        """Notes how many there were. One that was frozen meanwhile removes no more: an owner may have come back."""
        orphans = list(context.job.facts.get("orphans", ()))
        for container in orphans:
            context.watch.stop.check()
            context.tools.runtimes["docker"].remove(container)
        if not orphans:
            return None
        docker = context.tools.runtimes["docker"]
        left = tuple((c.id, c.owner, c.age) for c in docker.seen())
        return Learned(writes=(ContainersSeen(left, docker.identity()),), note=f"{len(orphans)} removed")


class ReadLogs(Step):
    """Reads an app's logs from its replicas into the job's live stream, as long as somebody reads there."""

    name = "read-logs"
    patient = False

    def run(self, context: Context) -> Learned | None:
        """Ends when the logs end, or when nobody reads any more; why it failed, readers learn from the job."""
        job, tools = context.job, context.tools
        _require_hideable(context)
        emit = tools.live.of_job(job.id, context.watch)
        tail, follow = int(job.args["tail"]), bool(job.args["follow"])
        tools.cluster.logs(job.app, tail, follow, emit.line, emit.stop, context.hidden)
        emit.end()
        return None


class RunInReplica(Step):
    """Runs a program in a live replica for somebody who is there, and never twice: what it did is not known."""

    name = "run-in-replica"
    patient = False

    def run(self, context: Context) -> Learned | None:
        """Learns `exit_code`; ends with the one who asked for it."""
        if context.job.claims > 1:
            return Learned(failed=_LOST)
        _require_hideable(context)
        reader, command = context.tools.live.terminal(context.job.id, context.watch), _command(context)
        terminal = HiddenTerminal(reader, context.hidden, window=command.tty)
        try:
            code = context.tools.cluster.execute(command, terminal)
        except Stopped:
            if context.watch.stop.reason in ("cancelled", "lease_lost"):
                raise
            return Learned(failed=_GONE if context.watch.stop.reason is None else _RESTARTED)
        terminal.ended(code)
        return Learned(facts={"exit_code": code}, note=f"exit {code}")


def _require_hideable(context: Context) -> None:
    """Raises SecretsLocked when a secret cannot be opened: what its value is, and so what to hide, is not known."""
    for sealed in context.job.sealed:
        context.tools.vault.open(sealed)


_LOST = Problem("worker_lost", "the worker died while it ran; whether it ended is not known", "run it again if it may")
_GONE = Problem("reader_gone", "whoever had asked for it went away, and it was ended")
_RESTARTED = Problem("worker_draining", "its worker is being stopped, and it was ended", "run it again")


def _command(context: Context) -> Command:
    job, args = context.job, context.job.args
    return Command(
        app=job.app,
        argv=tuple(args["command"]),
        mark=f"{job.id}-{context.tools.limits.instance}",
        replica=args["replica"],
        tty=args["tty"],
        term=args["term"],
        size=tuple(args["size"]) if args["size"] else None,
    )
