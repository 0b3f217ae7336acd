"""The docker cluster's door: what steps ask of it, each a few words of the pieces beside this one.

Names inside: a container on the network `norn` finds a webserver under its internal host. The engine's DNS answers with
every replica that runs, also one that is still being gated or is leaving; the router, which the world outside comes
through, sends to gated ones only. Control planes that share an engine share this network and its names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from norn_tasks.adapters.docker_cluster import addresses
from norn_tasks.adapters.docker_cluster.containers import Containers, gone, look
from norn_tasks.adapters.docker_cluster.execs import Exec
from norn_tasks.adapters.docker_cluster.gate import Gate, Gates
from norn_tasks.adapters.docker_cluster.logs import Logs
from norn_tasks.adapters.docker_cluster.retirement import Retirement
from norn_tasks.adapters.docker_cluster.rollout import Rollout
from norn_tasks.adapters.docker_cluster.status import status
from norn_tasks.adapters.docker_cluster.world import joined
from norn_tasks.adapters.engine import Engine
from norn_tasks.domain.app_status import WorkloadStatus
from norn_tasks.domain.errors import ClusterDown, EngineDown, NotFound, Stopped
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.ports import Command, Replicas, Stop, Terminal, Watch, Workload


class DockerCluster:
    """Keeps `ports.Cluster` on a docker engine, for the control plane `instance`.

    `rollout_timeout`: seconds that a new replica may take to become healthy; `drain_timeout`: seconds that the open
    requests of a leaving one may take; `stay_up`: seconds that a worker must run to count as healthy.
    """

    name = "docker"

    def __init__(
        self,
        engine: Engine,
        replicas: Replicas,
        *,
        instance: str,
        rollout_timeout: float,
        drain_timeout: float,
        stay_up: float = 10.0,
    ) -> None:
        self._engine = engine
        self._replicas = replicas
        self._instance = instance
        self._gates = Gates(rollout_timeout, stay_up)
        self._drain = drain_timeout

    def prepare(self, workload: Workload, watch: Watch) -> None:
        """Makes the network if it is missing."""
        self._ensure_network(watch)

    def expose(self, workload: Workload, watch: Watch) -> None:
        """Makes the network if it is missing: a replica brings its internal name with it when it starts there."""
        self._ensure_network(watch)

    def apply(self, workload: Workload, watch: Watch) -> None:
        """Checks that what should run can run; raises ReleaseGone when the image is not there."""
        if self._engine.promptly(lambda _: self._engine.image(workload.image), watch.stop) is None:
            raise gone(workload)
        self._ensure_network(watch)

    def await_rollout(self, workload: Workload, watch: Watch) -> WorkloadStatus:
        """Replaces one replica after the other, and answers when exactly what is wanted serves.

        Raises EngineDown when the engine does not answer at the beginning; later it is waited for.
        """
        containers = self._containers(watch, workload.hidden)
        gate = Gate(containers, workload, self._gates, watch.stop)
        retirement = Retirement(containers, self._replicas, watch, self._drain)
        world = Rollout(workload, containers, self._replicas, gate, retirement).through(watch)
        return status(workload.app, world, workload.replicas)

    def unexpose(self, app: str, watch: Watch) -> None:
        """Takes nothing away: an internal name is gone with the replicas that carry it."""
        watch.stop.check()

    def dismantle(self, app: str, watch: Watch) -> None:
        """Stops and removes everything of the app that runs, and its rows."""
        containers = self._containers(watch)
        world = joined(containers.first_look(app), self._replicas.of_app(app))
        Retirement(containers, self._replicas, watch, self._drain).take(world.replicas)
        for row in world.lost:
            self._replicas.gone(row.container, watch.fence)

    def status(self) -> tuple[WorkloadStatus, ...]:
        """Looks at all apps of this control plane that have a container; raises ClusterDown."""
        try:
            seen = look(self._engine.briefly, self._instance)
        except EngineDown as error:
            raise ClusterDown(error.sentence, hint=error.hint) from error
        apps = sorted({each.app for each in seen})
        return tuple(
            status(app, joined((each for each in seen if each.app == app), self._replicas.of_app(app))) for app in apps
        )

    def logs(
        self,
        app: str,
        tail: int,
        follow: bool,
        emit: Callable[[str, str], None],
        stop: Stop,
        hidden: Redaction = NOTHING_HIDDEN,
    ) -> None:
        """Emits the last lines of all replicas by time, then, following, new ones until the stop is set."""
        logs = Logs(self._engine, self._instance, app, emit, stop, hidden)
        # That nobody reads any more is how following ends, and no trouble of the job that reads.
        with contextlib.suppress(Stopped):
            logs.tail(tail)
            if follow:
                logs.follow()

    def execute(self, command: Command, terminal: Terminal) -> int:
        """Runs a program in the replica that is asked for, else in the first of the newest that serve."""
        world = joined(look(self._engine.briefly, self._instance, command.app), self._replicas.of_app(command.app))
        serving = [each for each in world.replicas if each.live and each.running]
        fit = [each for each in serving if command.replica in (None, each.index)]
        if not fit:
            which = f"replica {command.replica}" if command.replica is not None else "replica"
            raise NotFound(f"{command.app} has no {which} that serves now", hint=f"norn status {command.app} --fresh")
        chosen = min(fit, key=lambda each: (-each.generation, each.index))
        return Exec(self._engine, chosen.id, command, terminal).run()

    def _containers(self, watch: Watch, hidden: Redaction = NOTHING_HIDDEN) -> Containers:
        return Containers(self._engine, self._instance, watch.stop, self._gates.timeout, hidden)

    def _ensure_network(self, watch: Watch) -> None:
        self._engine.promptly(lambda _: addresses.ensure(self._engine), watch.stop)
