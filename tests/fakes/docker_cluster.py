"""A cluster in memory. Programs are values that describe their behaviour. Rollouts follow the real plan and take real
time.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from norn_tasks.adapters.docker_cluster import diagnosis
from norn_tasks.adapters.docker_cluster.gate import Gates
from norn_tasks.adapters.docker_cluster.looks.status import status
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
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer, World, joined
from norn_tasks.domain.causes import Evidence
from norn_tasks.domain.comparing.drift import Drift, drifts
from norn_tasks.domain.errors import ClusterDown, EngineDown, NotFound, ReleaseGone, RolloutFailed, Stopped
from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.domain.jobs.replica import Replica, ReplicaState
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.ports import ExecCommand, Replicas, Stop, Terminal, Watch, Workload
from tests.fakes.replicas import FakeReplicas

_LOOK = 0.02


@dataclass(frozen=True)
class Acts:
    """The behaviour of a program: it writes `lines`, listens and responds as given, and ends with `exits` after
    `seconds`, if ever.
    """

    exits: int | None = None
    seconds: float = 0
    out_of_memory: bool = False
    listens: bool = True
    answers: int = 200
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class FakeContainer:
    """A container of the fake engine; `started` is the time of its start, None before the start."""

    id: str
    instance: str
    index: int
    workload: Workload
    started: float | None = None


@dataclass
class FakeCluster:
    """A fake of `ports.Cluster`. Tests set `programs` (by argv) or `default`, `commands`, `images` (None: all exist),
    `down`.

    They read `containers` and `replicas`. A copy made by `replace`, such as that of another control plane, shares
    `containers`.
    """

    replicas: Replicas = field(default_factory=FakeReplicas)
    programs: Mapping[tuple[str, ...], Acts] = field(default_factory=dict)
    default: Acts = field(default_factory=Acts)
    commands: Mapping[tuple[str, ...], Callable[[Terminal], int]] = field(default_factory=dict)
    images: set[str] | None = None
    down: bool = False
    gates: Gates = field(default_factory=lambda: Gates(timeout=1, stay_up=0))
    drain: float = 1
    instance: str = "fake01"
    name: str = "docker"
    engine: str | None = "docker"
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def own_volumes(self, watch: Watch) -> None:
        """Does nothing: the replicas mount the volumes of the engine."""

    def prepare(self, workload: Workload, watch: Watch) -> None:
        """Does nothing: this cluster needs no preparation."""
        self._answer()

    def expose(self, workload: Workload, watch: Watch) -> str:
        """Returns an address of the app."""
        self._answer()
        return f"http://{workload.app}.{self.name}.test"

    def apply(self, workload: Workload, watch: Watch) -> None:
        """Checks that the image exists, and raises ReleaseGone if not; starts nothing."""
        self._answer()
        if self.images is not None and workload.image not in self.images:
            raise ReleaseGone(f"the image {workload.image} of {workload.app} is no longer on this engine")

    def await_rollout(self, workload: Workload, watch: Watch) -> WorkloadStatus:
        """Starts and ends replicas until all are as wanted."""
        self._answer()
        try:
            return status(workload.app, self._moves(workload, watch), workload.replicas)
        except RolloutFailed:
            self._discard_unready(workload, watch)
            raise
        except Stopped:
            if watch.stop.reason == "cancelled":
                self._discard_unready(workload, watch)
            raise

    def drift(self, workload: Workload, watch: Watch) -> tuple[Drift, ...]:
        """Returns a deviation if the number of running replicas is not the wanted one."""
        self._answer()
        running = sum(each.generation == workload.generation for each in self._world(workload.app).replicas)
        return tuple(drifts(f"app {workload.app}", {"replicas": workload.replicas}, {"replicas": running}))

    def entrance(self, workload: Workload, watch: Watch) -> str | None:
        """Returns None, as the Docker cluster does; the fake of another cluster returns an invented entrance."""
        self._answer()
        return None if self.engine is not None else f"{self.name}.test:80"

    def withdraw(self, app: str, watch: Watch) -> None:
        """Does nothing: this cluster has no public routes."""

    def unexpose(self, app: str, watch: Watch) -> None:
        """Does nothing: this cluster has no addresses to remove."""

    def dismantle(self, app: str, watch: Watch) -> None:
        """Removes everything of the app."""
        self._answer()
        world = self._world(app)
        self._retire(world.replicas, watch)
        for row in world.lost:
            self.replicas.gone(row.container, watch.fence)

    def end_drained(self, watch: Watch) -> int:
        """Removes draining replicas whose requests have ended or whose time is over; returns how many."""
        self._answer()
        over = [row.container for row in self.replicas.due() if self.replicas.ending(row.container, watch.fence)]
        for container in over:
            self.containers.pop(container, None)
            self.replicas.gone(container, watch.fence)
        return len(over)

    def status(self) -> tuple[WorkloadStatus, ...]:
        """Returns the status of all apps."""
        if self.down:
            raise ClusterDown("the fake engine does not answer")
        return tuple(status(app, self._world(app)) for app in sorted({each.workload.app for each in self._ours()}))

    def logs(
        self,
        app: str,
        tail: int,
        follow: bool,
        emit: Callable[[str, str], None],
        stop: Stop,
        hidden: Redaction = NOTHING_HIDDEN,
    ) -> None:
        """Emits each program's lines once."""
        told: set[str] = set()
        while True:
            for each in [each for each in self._ours() if each.workload.app == app and each.id not in told]:
                lines = self._acts(each).lines
                for line in lines if told else lines[max(0, len(lines) - tail) :]:
                    emit(self._seen(each).name, hidden.of_text(line))
                told.add(each.id)
            if not follow or stop.wait(_LOOK):
                return

    def execute(self, command: ExecCommand, terminal: Terminal) -> int:
        """Runs the behaviour that `commands` has for the program, and returns its exit code; raises NotFound if there
        is no such replica.
        """
        serving = [each for each in self._world(command.app).replicas if each.live and each.running]
        if not [each for each in serving if command.replica in (None, each.index)]:
            raise NotFound(f"{command.app} has no such replica")
        return self.commands[command.argv](terminal)

    def _answer(self) -> None:
        if self.down:
            raise EngineDown("the fake engine does not answer")

    def _ours(self) -> list[FakeContainer]:
        return [each for each in self.containers.values() if each.instance == self.instance]

    def _acts(self, container: FakeContainer) -> Acts:
        return self.programs.get(container.workload.argv or (), self.default)

    def _world(self, app: str) -> World:
        seen = [self._seen(each) for each in self._ours() if each.workload.app == app]
        return joined(seen, self.replicas.of_app(app))

    def _seen(self, container: FakeContainer) -> ReplicaContainer:
        workload, acts = container.workload, self._acts(container)
        state = "created"
        if container.started is not None:
            ended = acts.exits is not None and time.monotonic() >= container.started + acts.seconds
            state = "exited" if ended else "running"
        return ReplicaContainer(
            id=container.id,
            app=workload.app,
            index=container.index,
            release=workload.release,
            generation=workload.generation,
            state=state,
            ip=f"10.0.0.{container.id.removeprefix('c')}" if state == "running" else "",
            exit_code=acts.exits or 0,
            oom_killed=acts.out_of_memory,
        )

    def _moves(self, workload: Workload, watch: Watch) -> World:
        started: set[str] = set()
        while True:
            world = self._world(workload.app)
            drains = workload.drains > 0
            wanted = DesiredReplicas(
                workload.generation, workload.replicas, frozenset(started), workload.recreate, drains
            )
            move = next_move(world, wanted)
            if move is None:
                return world
            self._make(move, workload, watch, started)
            watch.stop.check()

    def _make(self, move: Move, workload: Workload, watch: Watch, started: set[str]) -> None:
        match move:
            case Forget(rows):
                for row in rows:
                    self.replicas.gone(row.container, watch.fence)
            case Readdress(replica):
                self.replicas.live(replica.id, replica.address, watch.fence)
            case Retire(replicas):
                self._retire(replicas, watch, workload.drains)
            case Admit(replica):
                self._admit(replica, workload, watch, started)
            case Create(index):
                made = FakeContainer(f"c{next(self.numbers)}", self.instance, index, workload)
                self.containers[made.id] = made
                self._record(made.id, workload, watch)

    def _record(self, container: str, workload: Workload, watch: Watch) -> None:
        row = Replica(container, workload.app, workload.release, workload.generation, ReplicaState.STARTING)
        self.replicas.starting(row, watch.fence)

    def _admit(self, replica: ReplicaContainer, workload: Workload, watch: Watch, started: set[str]) -> None:
        if replica.row is None:
            self._record(replica.id, workload, watch)
        if replica.fresh:
            self.containers[replica.id] = replace(self.containers[replica.id], started=time.monotonic())
        started.add(replica.id)
        address = self._gate(replica.id, workload, watch)
        self.replicas.live(replica.id, address, watch.fence)

    def _gate(self, container: str, workload: Workload, watch: Watch) -> str:
        begun, acts = time.monotonic(), self._acts(self.containers[container])
        well = acts.listens and (workload.healthcheck is None or 200 <= acts.answers < 400)
        rows = self.replicas.of_app(workload.app)
        passed = [row for row in rows if row.generation == workload.generation and row.state == ReplicaState.LIVE]
        stays = 0 if passed or workload.proven or workload.healthcheck else self.gates.stay_up
        while True:
            seen = self._seen(self.containers[container])
            since = time.monotonic() - begun
            if not seen.running:
                raise diagnosis.ended(workload, seen, _evidence(workload, acts))
            if workload.port is None and since >= self.gates.stay_up:
                return ""
            if workload.port is not None and well and since >= stays:
                return f"{seen.ip}:{workload.port}"
            if workload.port is not None and not well and since >= self.gates.timeout:
                raise self._late(workload, acts)
            watch.stop.wait(_LOOK)
            watch.stop.check()

    def _late(self, workload: Workload, acts: Acts) -> RolloutFailed:
        if not acts.listens:
            return diagnosis.not_listening(workload, self.gates.timeout, _evidence(workload, acts))
        evidence = _evidence(workload, acts)
        return diagnosis.not_healthy(workload, f"answered {acts.answers}", self.gates.timeout, evidence)

    def _retire(self, leaving: tuple[ReplicaContainer, ...], watch: Watch, drains: int = 0) -> None:
        for each in leaving:
            self.replicas.leaving(each.id, watch.fence)
        until = time.monotonic() + self.drain
        waited = [each for each in leaving if each.routed and not each.draining]
        while time.monotonic() < until and not all(self.replicas.drained(each.id) for each in waited):
            watch.stop.wait(_LOOK)
            watch.stop.check()
        busy = [each.id for each in waited if drains and not self.replicas.drained(each.id)]
        for container in busy:
            self.replicas.draining(container, drains, watch.fence)
        for each in (each for each in leaving if each.id not in busy):
            self.containers.pop(each.id, None)
            self.replicas.gone(each.id, watch.fence)

    def _discard_unready(self, workload: Workload, watch: Watch) -> None:
        for row in self.replicas.of_app(workload.app):
            if row.generation == workload.generation and row.state == ReplicaState.STARTING:
                self.replicas.leaving(row.container, watch.fence)
                self.containers.pop(row.container, None)
                self.replicas.gone(row.container, watch.fence)


def _evidence(workload: Workload, acts: Acts) -> Evidence:
    return Evidence(lines=tuple(map(workload.hidden.of_text, acts.lines)), port=workload.port)
