"""Keeps `ports.Cluster` on a docker engine; the rows of `Replicas` are its memory, which the router follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from norn_tasks.adapters.docker_cluster.containers import Containers, Found
from norn_tasks.adapters.docker_cluster.gate import Gate
from norn_tasks.adapters.docker_cluster.logs import LogReader
from norn_tasks.adapters.docker_cluster.retirement import Retirement
from norn_tasks.adapters.docker_cluster.rollout import Rollout
from norn_tasks.adapters.engine import Engine
from norn_tasks.domain.app_status import ReplicaStatus, WorkloadStatus
from norn_tasks.domain.errors import ClusterDown, EngineDown, NotFound, ReleaseGone
from norn_tasks.domain.replica import ReplicaState
from norn_tasks.ports import Replicas, Stop, Watch, Workload


class DockerCluster:
    """Webservers and workers as containers. Seconds: `rollout_timeout` for a new replica to become healthy,
    `drain_timeout` for the open requests of a leaving one, `stay_up` without an end that admit a worker.
    """

    name = "docker"

    def __init__(
        self,
        engine: Engine,
        replicas: Replicas,
        *,
        instance: str = "",
        rollout_timeout: float,
        drain_timeout: float,
        stay_up: float = 10.0,
    ) -> None:
        self._engine = engine
        self._replicas = replicas
        self._containers = Containers(engine, instance)
        self._retirement = Retirement(engine, replicas, drain_timeout)
        self._rollout_timeout = rollout_timeout
        self._stay_up = stay_up

    def prepare(self, workload: Workload, watch: Watch) -> None:
        """Makes the network of the replicas."""
        self._containers.prepare()

    def expose(self, workload: Workload, watch: Watch) -> None:
        """Makes the network in which each replica answers to the internal host name from its start."""
        self._containers.prepare()

    def apply(self, workload: Workload, watch: Watch) -> None:
        """Sees that the image is there; the rollout makes the rest so."""
        if self._engine.image(workload.image) is None:
            raise ReleaseGone(
                f"the image {workload.image} of {workload.app} is not on this engine any more",
                hint=f"norn deploy {workload.app}",
            )

    def await_rollout(self, workload: Workload, watch: Watch) -> WorkloadStatus:
        """Brings the world to what was applied."""
        gate = Gate(self._engine, workload, timeout=self._rollout_timeout, stay_up=self._stay_up)
        Rollout(self._containers, self._replicas, gate, self._retirement, workload).run(watch)
        return self._status(workload.app, self._containers.of_app(workload.app), workload.replicas)

    def unexpose(self, app: str, watch: Watch) -> None:
        """Does nothing: a replica's internal name goes with its container."""

    def dismantle(self, app: str, watch: Watch) -> None:
        """Retires all replicas together, and takes away what has no row."""
        rows = self._replicas.of_app(app)
        self._retirement.retire(rows, watch)
        for left in self._containers.of_app(app):
            self._engine.take_away(left.id)

    def status(self) -> tuple[WorkloadStatus, ...]:
        """Looks at all apps. `wanted` is how many there are: what should be is the ledger's to say."""
        try:
            by_app: dict[str, list[Found]] = {}
            for each in self._containers.of_app():
                by_app.setdefault(each.app, []).append(each)
            return tuple(self._status(app, found, len(found)) for app, found in sorted(by_app.items()))
        except EngineDown as error:
            raise ClusterDown(error.sentence, hint=error.hint) from error

    def logs(self, app: str, tail: int, follow: bool, emit: Callable[[str, str], None], stop: Stop) -> None:
        """Emits (replica, line)."""
        reader = LogReader(self._containers, emit, stop)
        if follow:
            reader.follow(app, tail)
        else:
            reader.read(app, tail)

    def _status(self, app: str, found: list[Found] | tuple[Found, ...], wanted: int) -> WorkloadStatus:
        states = {row.container: row.state for row in self._replicas.of_app(app)}
        seen = [(each, self._inspected(each)) for each in found]
        replicas = tuple(_replica(each, state, states.get(each.id)) for each, state in seen if state is not None)
        ready = sum(each.healthy is True for each in replicas)
        return WorkloadStatus(
            app, wanted, ready, replicas, next((each.message for each in replicas if each.message), "")
        )

    def _inspected(self, replica: Found) -> dict[str, Any] | None:
        try:
            told: dict[str, Any] = self._engine.briefly(lambda client: client.inspect_container(replica.id))
        except NotFound:
            return None
        return told


def _replica(found: Found, told: dict[str, Any], row: str | None) -> ReplicaStatus:
    state = told["State"]
    running = state["Status"] == "running"
    healthy = (running and not state["Restarting"]) if row == ReplicaState.LIVE else None
    message = ""
    if not running and state["Status"] != "created":
        why = "was out of memory" if state["OOMKilled"] else f"exited {state['ExitCode']}"
        message = f"{found.name} {why}"
    return ReplicaStatus(found.name, state["Status"], found.release, int(told["RestartCount"]), healthy, message)
