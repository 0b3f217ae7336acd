"""A second runtime on an engine of its own, which only this test registers: Norn runs jobs and cleans up on both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from norn_tasks.celery_app import Waker
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.container import ContainerRef
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.placement import HOME
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Run, Tools
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import engines, memory
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue import slots
from norn_tasks.store.queue.claims import Claimer
from norn_tasks.store.queue.sweeper import sweep
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from norn_tasks.worker.engines import EngineIdentity, WorkerTools
from norn_tasks.worker.leases import LeaseKeeper
from norn_tasks.worker.output import StepOutput
from norn_tasks.worker.process import WorkerProcess
from norn_tasks.worker.shares import Shares
from tests import factories
from tests.fakes.engine import FakeContainer, FakeEngine
from tests.fakes.images import FakeImages
from tests.fakes.runtime import FakeRuntime
from tests.fakes.volumes import FakeVolumes
from tests.servers import Broker

OTHER = "incus"
APPS = {"docker": "usual", OTHER: "other"}
_NAMED = text("""
UPDATE releases SET spec = spec || jsonb_build_object('runtime', CAST(:runtime AS text)) WHERE app = :app""")
"""Writes a runtime into the releases of an app directly, without a spec that requests it."""


@dataclass
class Machine:
    """A machine with two engines, a runtime on each, and an app for each runtime."""

    database: Database
    broker: Broker
    usual: FakeRuntime = field(default_factory=lambda: FakeRuntime(on=FakeEngine(id=factories.ENGINE)))
    other: FakeRuntime = field(default_factory=lambda: FakeRuntime(on=FakeEngine(OTHER, "engine-2"), name=OTHER))

    def __post_init__(self) -> None:
        self.runtimes = {"docker": self.usual, OTHER: self.other}
        self.engines = {"docker": self.usual.on, OTHER: self.other.on}
        for runtime, app in APPS.items():
            factories.add_live(self.database, app, at_once=1)
            with self.database.transaction() as tx:
                tx.execute(_NAMED, {"runtime": runtime, "app": app})

    def call(self, app: str, *, sync: bool = False) -> int:
        """Accepts a call, and returns its job."""
        with self.database.transaction() as tx:
            release = releases.require_live(tx, app)
            accepted = runs.accept_call(tx, release, Call(), sync=sync, actor="test", patience=600)
        return int(self.rows("SELECT job_id FROM func_executions WHERE id = :id", id=accepted.execution)[0].job_id)

    def worker(self, job_class: JobClass = JobClass.INVOKE) -> WorkerProcess:
        """Returns a worker as `tasks` makes it, with these engines and runtimes."""
        settings = Settings(database_url=self.database.url, broker_url=self.broker.url)
        limits = Limits(1, 2**20, 1, engine_patience=0.0, workspace=Path("/nonexistent"), instance="t")
        rest = {"limits": limits, "images": FakeImages(), "volumes": FakeVolumes()}
        tools = cast(Tools, SimpleNamespace(engines=self.engines, runtimes=self.runtimes, **rest))

        def register(engine: str) -> engines.EngineMembership:
            with self.database.transaction() as tx:
                return engines.speak(tx, engine, "host", registry=False)

        return WorkerProcess(
            name="w1", job_class=job_class, settings=settings, database=self.database, live=Live(self.broker.url),
            waker=Waker(self.broker.url), leases=LeaseKeeper(self.database, settings, job_class),
            engine=EngineIdentity(
                self.usual.on.identity, register, every=0,
                has=WorkerTools.of(self.engines, self.runtimes, {"docker": "docker"}),
            ),
            runner=Runner(Ledger(self.database, patience=1), tools, StepOutput(self.database)),
            shares=Shares(job_class, 4),
        )  # fmt: skip

    def lost(self, app: str, *, sync: bool = False) -> tuple[Job, FakeContainer]:
        """Makes a call whose worker dies while its code runs in a container; the container continues."""
        self.call(app, sync=sync)
        worker = self.worker()
        worker.engine.look()
        job = take(self.database, Claimer("dead", JobClass.INVOKE, factories.ENGINE, 30, 5, worker.engine.capabilities))
        assert job is not None and job.spec is not None
        runtime, ledger = self.runtimes[job.spec.runtime], Ledger(self.database, patience=1)
        ledger.record_container(job.fence, ContainerRef(runtime.name, runtime.on.id, f"left-{app}"))
        execution = job.required_execution()
        ledger.begin_code(job.fence, execution.runs)
        run = Run(f"x-{job.id}", app, f"execution:{execution.id}", "i", None, {}, timeout=60, memory=2**20, cpus=1)
        now = time.monotonic()
        left = FakeContainer(f"left-{app}", run, job.fence.token, now, now)
        runtime.containers[left.id] = left
        with self.database.transaction() as tx:
            tx.execute(text("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' WHERE state = 'running'"))
        sweep(self.database, max_claims=5)
        return job, left

    def look(self) -> None:
        """Observes the machine's engines."""
        with self.database.transaction() as tx:
            factories.add_job(tx, JobKind.OBSERVE, app="", engine=HOME, args={"home": False})
        assert self.worker(JobClass.OBSERVE).work() == 1

    def rows(self, statement: str, **bound: Any) -> list[Any]:
        """Returns the rows of a query."""
        with self.database.transaction() as tx:
            return list(tx.execute(text(statement), bound))

    def slots_held(self) -> set[str]:
        """Returns the apps whose slot is in use."""
        return {row.app for row in self.rows("SELECT app FROM slots WHERE job_id IS NOT NULL")}


@pytest.fixture
def machine(database: Database, broker: Broker) -> Machine:
    return Machine(database, broker)


@pytest.fixture(params=APPS.values())
def app(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_call_runs_in_the_runtime_of_its_spec(machine: Machine) -> None:
    for app in APPS.values():
        machine.call(app)
    assert machine.worker().work() == 2
    ran = {name: [run.app for run in runtime.ran] for name, runtime in machine.runtimes.items()}
    assert ran == {runtime: [app] for runtime, app in APPS.items()}
    recorded = machine.rows("SELECT app, container_runtime, container_engine FROM jobs WHERE state = 'succeeded'")
    assert set(map(tuple, recorded)) == {("usual", "docker", factories.ENGINE), ("other", OTHER, "engine-2")}
    assert machine.slots_held() == set()


def test_a_call_is_left_to_a_worker_that_has_its_runtime(machine: Machine, app: str) -> None:
    machine.call(app)
    machine.other.on.down = True
    assert machine.worker().work() == (1 if app == "usual" else 0)
    machine.other.on.down = False
    assert machine.worker().work() == (0 if app == "usual" else 1)


def test_both_runtimes_reserve_the_memory_of_one_machine(machine: Machine) -> None:
    """The machine has the memory for one and a half calls."""
    each = factories.spec("usual").function.memory
    with machine.database.transaction() as tx:
        memory.speak(tx, factories.ENGINE, each * 3 // 2, 0)
    for app in APPS.values():
        machine.call(app)
    worker = machine.worker()
    worker.engine.look()
    claimer = Claimer("w1", JobClass.INVOKE, factories.ENGINE, 30, 5, worker.engine.capabilities)
    taken = [take(machine.database, claimer) for _ in APPS]
    assert [job is not None for job in taken] == [True, False]
    held = machine.rows("SELECT engine FROM memory_held")
    assert [row.engine for row in held] == [factories.ENGINE]


def test_the_container_of_a_dead_worker_is_adopted(machine: Machine, app: str) -> None:
    job, left = machine.lost(app)
    assert machine.worker().work() == 1
    (row,) = machine.rows("SELECT state, runs FROM jobs WHERE id = :id", id=job.id)
    assert (row.state, row.runs) == ("succeeded", 1)
    assert all(left.id not in runtime.containers and not runtime.ran for runtime in machine.runtimes.values())


def test_a_container_without_an_owner_is_removed(machine: Machine, app: str) -> None:
    _, left = machine.lost(app, sync=True)
    machine.look()
    assert all(left.id not in runtime.containers for runtime in machine.runtimes.values())


def held_after(machine: Machine, change: Callable[[FakeContainer], object]) -> dict[str, bool]:
    """Lets a worker die in a call of each app, changes the state of their containers, and frees the slots of containers
    that their engine does not have; returns whose slot is still in use.
    """
    for app in APPS.values():
        _, left = machine.lost(app, sync=True)
        change(left)
    with machine.database.transaction() as tx:
        for runtime in machine.runtimes.values():
            slots.release_unseen(tx, runtime.on.id, [each.id for each in runtime.on.containers()])
    return {app: app in machine.slots_held() for app in APPS.values()}


def test_a_slot_is_held_as_long_as_its_container_is_on_its_engine(machine: Machine) -> None:
    assert held_after(machine, lambda left: None) == {"usual": True, "other": True}


def test_a_slot_is_free_when_its_engine_no_longer_has_the_container(machine: Machine) -> None:
    def gone(left: FakeContainer) -> None:
        for runtime in machine.runtimes.values():
            runtime.containers.pop(left.id, None)

    assert held_after(machine, gone) == {"usual": False, "other": False}
