"""Changes an app's containers to the wanted state, one planned move after the other.

Every move reads the containers and the database first, because it may be the first move after a crash. Containers left
behind by an earlier worker are recognised by their labels and rows, and used. If the job's lease is lost, the rollout
ends immediately and changes nothing more.
"""

from __future__ import annotations

import time

from norn_tasks.adapters.docker_cluster import addresses, diagnosis
from norn_tasks.adapters.docker_cluster.containers import Containers
from norn_tasks.adapters.docker_cluster.examination import examined
from norn_tasks.adapters.docker_cluster.gate import Gate
from norn_tasks.adapters.docker_cluster.plan import (
    Admit,
    Create,
    DesiredReplicas,
    Forget,
    Move,
    Readdress,
    Retire,
    next_move,
)
from norn_tasks.adapters.docker_cluster.policy import NETWORK
from norn_tasks.adapters.docker_cluster.retirement import Retirement
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer, World, joined
from norn_tasks.domain.errors import Conflict, NotFound, RolloutFailed, StepFailed, Stopped
from norn_tasks.domain.jobs.replica import Replica, ReplicaState
from norn_tasks.ports import Replicas, Watch, Workload

_MOST_FALSE_STARTS = 5
"""How many starts in one rollout may fail without a fault of the replica (its container or network was removed, or its
address is taken). With one more such failure, the rollout fails.
"""


class Rollout:
    """One call of `await_rollout`, for one workload."""

    def __init__(
        self, workload: Workload, containers: Containers, replicas: Replicas, gate: Gate, retirement: Retirement
    ) -> None:
        self._workload = workload
        self._containers = containers
        self._replicas = replicas
        self._gate = gate
        self._retirement = retirement
        self._started: set[str] = set()
        self._admitted: set[str] = set()
        self._false_starts = 0

    def through(self, watch: Watch) -> World:
        """Makes moves until the replicas are as wanted, and returns the resulting containers and rows; raises
        RolloutFailed.
        """
        try:
            return self._moves(watch)
        except RolloutFailed:
            self._discard_unready(watch)
            raise
        except Stopped:
            if watch.stop.reason == "cancelled":
                self._discard_unready(watch)
            raise

    def _moves(self, watch: Watch) -> World:
        world = self._world(self._containers.first_look(self._workload.app))
        while True:
            self._check_admitted(world)
            move = next_move(world, self._wanted())
            if move is None:
                return world
            self._make(move, watch)
            watch.stop.check()
            world = self._world(self._containers.look(self._workload.app))

    def _wanted(self) -> DesiredReplicas:
        wanted = self._workload
        return DesiredReplicas(
            wanted.generation, wanted.replicas, frozenset(self._started), wanted.recreate, wanted.drains > 0
        )

    def _world(self, containers: tuple[ReplicaContainer, ...]) -> World:
        return joined(containers, self._replicas.of_app(self._workload.app))

    def _make(self, move: Move, watch: Watch) -> None:
        match move:
            case Forget(rows):
                for row in rows:
                    self._replicas.gone(row.container, watch.fence)
            case Readdress(replica):
                self._replicas.live(replica.id, replica.address, watch.fence)
            case Retire(replicas):
                watch.say(f"removing {', '.join(each.name for each in replicas)}\n")
                self._retirement.take(replicas)
            case Admit(replica):
                self._admit(replica, watch)
            case Create(index):
                self._create(index, watch)

    def _create(self, index: int, watch: Watch) -> None:
        container = self._containers.create(self._workload, index, watch.fence)
        if container is not None:
            self._record(container, watch)

    def _record(self, container: str, watch: Watch) -> None:
        workload = self._workload
        about = workload.app, workload.release, workload.generation, ReplicaState.STARTING
        health = workload.checked if workload.port is not None else None
        row = Replica(container, *about, memory=workload.memory, health=health)
        self._replicas.starting(row, watch.fence)

    def _admit(self, replica: ReplicaContainer, watch: Watch) -> None:
        if replica.row is None:
            self._record(replica.id, watch)
        outages, begun = self._containers.outages, time.monotonic()
        watch.say(f"{'starting' if replica.fresh else 'waiting for'} {replica.name}\n")
        try:
            if replica.fresh and not self._start(replica):
                return
            self._started.add(replica.id)
            address = self._gate.passed(replica.id, proven=self._proven())
        except RolloutFailed:
            if self._containers.outages == outages:
                raise
            # The engine did not answer for a while. If the engine was stopped, it may have ended the replica, so the
            # replica gets another try.
            self._started.discard(replica.id)
            return
        if not self._containers.keep_up(replica.id):
            return
        self._replicas.live(replica.id, address, watch.fence)
        self._admitted.add(replica.id)
        watch.say(f"{replica.name} is healthy after {time.monotonic() - begun:.1f} s\n")

    def _proven(self) -> bool:
        """Returns True if a replica of this generation has passed the gate, in this rollout or in an earlier one."""
        wanted = self._workload
        rows = self._replicas.of_app(wanted.app)
        return wanted.proven or any(r.generation == wanted.generation and r.state == ReplicaState.LIVE for r in rows)

    def _start(self, replica: ReplicaContainer) -> bool:
        """Starts a replica; returns False if it must be created again, with another address or on another network."""
        try:
            self._containers.start(replica.id)
            return True
        except (NotFound, Conflict):
            # The container or its network was just removed.
            self._again(replica)
        except StepFailed as error:
            said = str(error.facts.get("said", error.sentence))
            if not any(word in said for word in addresses.NOT_ITS_FAULT):
                raise diagnosis.not_started(said) from error
            self._again(replica)
        return False

    def _again(self, replica: ReplicaContainer) -> None:
        self._false_starts += 1
        if self._false_starts > _MOST_FALSE_STARTS:
            raise StepFailed(
                f"the network {NETWORK} of the engine accepts no container",
                hint=f"docker network rm {NETWORK} while nothing runs on it; Norn makes it again",
            )
        self._retirement.take((replica,))

    def _check_admitted(self, world: World) -> None:
        """Raises an error if a replica that this rollout has made live has restarted or ended since then."""
        for each in world.replicas:
            if each.id in self._admitted and each.live and (each.restarts or not each.running):
                evidence = examined(self._containers, self._workload, each.id)
                raise diagnosis.ended_again(self._workload, each, evidence)

    def _discard_unready(self, watch: Watch) -> None:
        """Removes this generation's replicas that never served, no matter which worker created them.

        They are found by their database rows.
        """
        for row in self._replicas.of_app(self._workload.app):
            if row.generation == self._workload.generation and row.state == ReplicaState.STARTING:
                self._replicas.leaving(row.container, watch.fence)
                if self._containers.discard(row.container):
                    self._replicas.gone(row.container, watch.fence)
