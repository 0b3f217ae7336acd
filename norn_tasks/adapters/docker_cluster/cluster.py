"""The Docker cluster, as the steps of jobs use it. Each method calls a few functions of the other modules in this
package.

A container on the network `norn` finds a webserver by its internal host name. The engine's DNS returns the addresses of
all running replicas, even of those that have not passed their health gate or that are being removed. The router
receives the requests from outside, and sends them only to replicas that have passed their gate. Control planes that
share an engine share this network and its names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from norn_tasks.adapters.docker.client import APP, EngineClient
from norn_tasks.adapters.docker_cluster import addresses
from norn_tasks.adapters.docker_cluster.containers import Containers, gone, listed, look, look_at
from norn_tasks.adapters.docker_cluster.execs import Exec
from norn_tasks.adapters.docker_cluster.gate import Gate, Gates
from norn_tasks.adapters.docker_cluster.logs import Logs
from norn_tasks.adapters.docker_cluster.looks.checks import checked, sightings
from norn_tasks.adapters.docker_cluster.looks.drift import compared
from norn_tasks.adapters.docker_cluster.looks.ends import ends
from norn_tasks.adapters.docker_cluster.looks.layers import LayerSizes
from norn_tasks.adapters.docker_cluster.looks.status import status
from norn_tasks.adapters.docker_cluster.looks.usage import measured
from norn_tasks.adapters.docker_cluster.retirement import Retirement
from norn_tasks.adapters.docker_cluster.rollout import Rollout
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer, World, joined
from norn_tasks.domain.comparing.drift import Drift
from norn_tasks.domain.errors import ClusterDown, Conflict, EngineDown, NotFound, StepFailed, Stopped
from norn_tasks.domain.jobs.app_status import ReplicaUsage, WorkloadStatus
from norn_tasks.domain.jobs.replica import ReplicaEnd
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.ports import ExecCommand, Replicas, RouterPorts, Stop, Terminal, Watch, Workload


class DockerCluster:
    """Implements `ports.Cluster` on a Docker engine, for the control plane `instance`.

    `router`: the router's address, without a port; `rollout_timeout`: seconds that a new replica may take to become
    healthy; `drain_timeout`: seconds that the open requests of a leaving replica may take; `stay_up`: seconds for which
    a worker, or a webserver without a healthcheck, must run before it counts as healthy; `keep_lines` keeps the lines
    of a container that is about to be removed.
    """

    name = "docker"
    engine: str | None = "docker"

    def __init__(
        self,
        engine: EngineClient,
        replicas: Replicas,
        ports: RouterPorts,
        *,
        router: str,
        instance: str,
        rollout_timeout: float,
        drain_timeout: float,
        stay_up: float = 10.0,
        keep_lines: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._replicas = replicas
        self._ports = ports
        self._router = router
        self._instance = instance
        self._gates = Gates(rollout_timeout, stay_up)
        self._drain = drain_timeout
        self._keep_lines = keep_lines
        self._layers = LayerSizes()

    def own_volumes(self, watch: Watch) -> None:
        """Returns None, because the replicas mount the volumes of the engine."""

    def prepare(self, workload: Workload, watch: Watch) -> None:
        """Creates the network if it is missing."""
        self._ensure_network(watch)

    def expose(self, workload: Workload, watch: Watch) -> str:
        """Reserves a port of the router for the app, and returns the app's address there. The app keeps the port.

        The internal name needs no work here: each replica has that name as an alias on the network.
        """
        self._ensure_network(watch)
        return f"{self._router}:{self._ports.reserve(workload.app, watch.fence)}"

    def apply(self, workload: Workload, watch: Watch) -> None:
        """Creates the network if it is missing; raises ReleaseGone if the engine does not have the image."""
        if self._engine.promptly(lambda _: self._engine.image(workload.image), watch.stop) is None:
            raise gone(workload)
        self._ensure_network(watch)

    def await_rollout(self, workload: Workload, watch: Watch) -> WorkloadStatus:
        """Replaces the replicas one by one, and returns when exactly the wanted replicas serve requests.

        Raises EngineDown if the engine does not answer at the beginning. Later, it waits for an engine that does not
        answer.
        """
        containers = self._containers(watch, workload.hidden)
        gate = Gate(containers, workload, self._gates, watch.stop)
        retirement = Retirement(containers, self._replicas, watch, self._drain, workload.drains)
        world = Rollout(workload, containers, self._replicas, gate, retirement).through(watch)
        return status(workload.app, world, workload.replicas)

    def entrance(self, workload: Workload, watch: Watch) -> None:
        """Returns None, because the router finds the replicas by their rows."""

    def withdraw(self, app: str, watch: Watch) -> None:
        """Does nothing: the internal name disappears with the replicas that carry it."""

    def unexpose(self, app: str, watch: Watch) -> None:
        """Frees the app's port of the router; the internal name disappears with the replicas that carry it."""
        watch.stop.check()
        self._ports.release(app, watch.fence)

    def dismantle(self, app: str, watch: Watch) -> None:
        """Stops and removes all of the app's replicas, and their rows."""
        containers = self._containers(watch)
        world = joined(containers.first_look(app), self._replicas.of_app(app))
        Retirement(containers, self._replicas, watch, self._drain).take(world.replicas)
        for row in world.lost:
            self._replicas.gone(row.container, watch.fence)

    def end_drained(self, watch: Watch) -> int:
        """Stops and removes the draining replicas that have drained, or whose time is over; returns how many."""
        containers = self._containers(watch)
        due = {row.container: row for row in self._replicas.due()}
        world = joined((each for name in due if (each := containers.see(name)) is not None), due.values())
        for row in world.lost:
            self._replicas.gone(row.container, watch.fence)
        return Retirement(containers, self._replicas, watch, 0).finish(world.replicas) + len(world.lost)

    def status(self) -> tuple[WorkloadStatus, ...]:
        """Returns the status of each app of this control plane that has a replica; raises ClusterDown."""
        containers: dict[str, list[str]] = {}
        try:
            # Layers are measured first. Measuring may take seconds, and the status of the replicas would be old by
            # then.
            self._layers.measure(self._engine, [each["Id"] for each in listed(self._engine.briefly, self._instance)])
            for each in listed(self._engine.briefly, self._instance):
                containers.setdefault(each["Labels"][APP], []).append(each["Id"])
            looks = {app: self._look(containers[app]) for app in sorted(containers)}
            ended = ends(self._engine, self._instance)
        except EngineDown as error:
            raise ClusterDown(error.sentence, hint=error.hint) from error
        worlds = {
            app: joined(seen, self._replicas.of_app(app)) for app, seen in looks.items() if isinstance(seen, tuple)
        }
        found = dict(zip(worlds, checked(tuple(worlds.values())), strict=True))
        usage = measured(self._engine, [each for world in found.values() for each in world.replicas])
        usage = self._layers.added(usage)
        return tuple(
            WorkloadStatus(app, 0, 0, unseen=seen) if isinstance(seen, str) else _status(app, found[app], ended, usage)
            for app, seen in looks.items()
        )

    def drift(self, workload: Workload, watch: Watch) -> tuple[Drift, ...]:
        """Compares the replicas with the workload (an app's release and its settings), and returns the differences;
        raises EngineDown.
        """
        seen = look(self._engine.briefly, self._instance, workload.app)
        world = joined(seen, self._replicas.of_app(workload.app))
        return compared(self._engine, self._instance, workload, world.replicas)

    def _look(self, containers: list[str]) -> tuple[ReplicaContainer, ...] | str:
        """Returns an app's replicas. If the engine refuses to show them, returns the reason, so that the other apps can
        still be shown.
        """
        try:
            return look_at(self._engine.briefly, containers)
        except (StepFailed, Conflict) as error:
            return error.sentence

    def logs(
        self,
        app: str,
        tail: int,
        follow: bool,
        emit: Callable[[str, str], None],
        stop: Stop,
        hidden: Redaction = NOTHING_HIDDEN,
    ) -> None:
        """Emits the last lines of all replicas in order of time. With `follow`, it then emits new lines until the stop
        is set.
        """
        logs = Logs(self._engine, self._instance, app, emit, stop, hidden)
        # If the client stops reading the log, the job ends without a failure.
        with contextlib.suppress(Stopped):
            logs.tail(tail)
            if follow:
                logs.follow()

    def execute(self, command: ExecCommand, terminal: Terminal) -> int:
        """Runs a program in the requested replica, or otherwise in the first replica of the newest generation; returns
        its exit code. Raises NotFound if no such replica serves requests now.
        """
        world = joined(look(self._engine.briefly, self._instance, command.app), self._replicas.of_app(command.app))
        serving = [each for each in world.replicas if each.live and each.running]
        fit = [each for each in serving if command.replica in (None, each.index)]
        if not fit:
            which = f"replica {command.replica}" if command.replica is not None else "replica"
            raise NotFound(f"{command.app} has no {which} that serves now", hint=f"norn status {command.app} --fresh")
        chosen = min(fit, key=lambda each: (-each.generation, each.index))
        return Exec(self._engine, chosen.id, command, terminal).run()

    def _containers(self, watch: Watch, hidden: Redaction = NOTHING_HIDDEN) -> Containers:
        return Containers(self._engine, self._instance, watch.stop, self._gates.timeout, hidden, self._keep_lines)

    def _ensure_network(self, watch: Watch) -> None:
        self._engine.promptly(lambda _: addresses.ensure(self._engine), watch.stop)


def _status(
    app: str, world: World, ended: Mapping[str, list[ReplicaEnd]], usage: Mapping[str, ReplicaUsage]
) -> WorkloadStatus:
    """Returns the status of an app; it includes the health, the latest ends and the usage of its live replicas."""
    seen = sightings(world)
    return replace(
        status(app, world, usage=usage),
        sightings=seen,
        ends=tuple(end for each in seen for end in ended.get(each.container, ())),
    )
