"""A second cluster next to the Docker one: an app in each is forged, deployed and torn down, with the real store and
worker.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from norn_tasks import dispatch
from norn_tasks.adapters.docker_cluster.gate import Gates
from norn_tasks.adapters.kept_logs import KeepLimits, KeptLogDirectory
from norn_tasks.adapters.sources.directories import LocalDirectories
from norn_tasks.celery_app import Waker
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import ReadLogsJobRequest
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools, Watch
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import engines, workers
from norn_tasks.store.fleet.engines import EngineMembership
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue import jobs_read, waiting
from norn_tasks.store.status import apps
from norn_tasks.store.status.apps import AppView
from norn_tasks.store_adapters.replicas import ReplicaTable
from norn_tasks.store_adapters.service_records import ServiceRecordTable
from norn_tasks.worker.engines import EngineIdentity, WorkerTools
from norn_tasks.worker.leases import LeaseKeeper
from norn_tasks.worker.output import StepOutput
from norn_tasks.worker.process import WorkerProcess
from norn_tasks.worker.shares import Shares
from tests import factories
from tests.fakes.docker_cluster import Acts, FakeCluster
from tests.fakes.engine import FakeEngine
from tests.fakes.images import FakeImages
from tests.fakes.registry_images import FakeRegistryImages
from tests.fakes.runtime import FakeRuntime
from tests.fakes.services import FakeServices
from tests.fakes.tunnel import FakeDns, FakeEdge, FakeExternalHosts, FakeTunnel
from tests.fakes.volumes import FakeVolumes
from tests.servers import Broker

HOMES = {"near": "docker", "away": "far"}
"""Each app with its cluster."""


@dataclass
class Streams:
    """Live streams whose lines are kept."""

    lines: list[str] = field(default_factory=list)

    def of_job(self, job: int, watch: Watch) -> Any:
        """Opens a stream."""
        return SimpleNamespace(
            stop=watch.stop, sent=None, line=lambda source, text: self.lines.append(text), end=lambda: None
        )


@dataclass
class TwoClusters:
    """A control plane whose worker has two clusters, with an app's directory for each."""

    database: Database
    broker: Broker
    home: Path
    streams: Streams = field(default_factory=Streams)

    def __post_init__(self) -> None:
        self.engine, self.images = FakeEngine(id=factories.ENGINE), FakeImages()
        self.runtime = FakeRuntime(on=self.engine)
        gates = Gates(timeout=1, stay_up=0)
        self.clusters = {
            "docker": FakeCluster(ReplicaTable(self.database), gates=gates, drain=0.01, default=Acts(lines=("near",))),
            "far": FakeCluster(gates=gates, drain=0.01, name="far", engine=None, default=Acts(lines=("away",))),
        }
        for app in HOMES:
            (self.home / "apps" / app).mkdir(parents=True)
            self.write(app, "replicas: 2\n")
            (self.home / "apps" / app / "Dockerfile").write_text("FROM scratch\n")
        with self.database.transaction() as tx:
            engines.speak(tx, factories.ENGINE, "host", registry=False)
            workers.say(
                tx,
                workers.Presence(
                    "w1", JobClass.OBSERVE, "host", 1, 8, factories.ENGINE, None, clusters=("docker", "far")
                ),
            )

    def write(self, app: str, more: str) -> None:
        """Writes the app's infraspec."""
        text = f"app: {app}\nrole: webserver\nport: 8080\n{more}"
        (self.home / "apps" / app / "infraspec.yaml").write_text(text)

    def intake(self, app: str) -> dispatch.Intake:
        """Returns the intake of a server whose NORN_CLUSTER is the app's cluster."""
        return factories.intake(
            self.database, self.broker.url, apps_dir=self.home / "apps", cluster=HOMES[app], data_dir=self.home
        )

    def work(
        self,
        accepted: dispatch.Accepted,
        job_class: JobClass = JobClass.DEPLOY,
        reached: Collection[str] = ("docker", "far"),
    ) -> str:
        """Lets a worker that reaches these clusters do all that is ready; returns the state of the job."""
        self._worker(job_class, reached).work()
        with self.database.transaction() as tx:
            job = jobs_read.get(tx, accepted.job)
        return job.state if job.error is None else f"{job.state}: {job.error['sentence']}"

    def seen(self, app: str) -> AppView:
        """Returns the app as the API shows it."""
        with self.database.transaction() as tx:
            return apps.one(tx, self.home / "apps", app)

    def look(self) -> None:
        """Lets a worker observe every cluster, and do the repairs that follow."""
        dispatch.request_cluster_looks(self.intake("near"), actor="beat")
        self._worker(JobClass.OBSERVE).work()
        self._worker(JobClass.DEPLOY).work()

    def _worker(self, job_class: JobClass, reached: Collection[str] = ("docker", "far")) -> WorkerProcess:
        settings = Settings(database_url=self.database.url, broker_url=self.broker.url)
        clusters = {name: "docker" if name == "docker" else None for name in reached}
        has = WorkerTools.of({"docker": self.engine}, {"docker": self.runtime}, clusters)
        identity = EngineIdentity(self.engine.identity, lambda _: EngineMembership(home=True), has=has)
        return WorkerProcess(
            name="w1", job_class=job_class, settings=settings, database=self.database, live=Live(self.broker.url),
            waker=Waker(self.broker.url), leases=LeaseKeeper(self.database, settings, job_class), engine=identity,
            runner=Runner(Ledger(self.database, patience=1), self._tools(), StepOutput(self.database)),
            shares=Shares(job_class, 4),
        )  # fmt: skip

    def _tools(self) -> Tools:
        unused = cast(Any, None)
        return Tools(
            git=unused, directories=LocalDirectories(most=2**20), sources=unused, images=self.images,
            deploys=cast(Any, None), registry_images=FakeRegistryImages(self.images),
            clusters=cast(Any, self.clusters), engines={"docker": self.engine},
            runtimes={"docker": self.runtime}, volumes=FakeVolumes(),
            limits=Limits(5, 512 * 2**20, 1, 0, self.home / "work", "fake01"), live=cast(Any, self.streams),
            vault=unused, messenger=unused, sops=unused, secret_files=unused,
            keyring=unused, sealed_rows=unused,
            tunnel=FakeTunnel(), dns=FakeDns(), edge=FakeEdge(), hosts=FakeExternalHosts(),
            services=FakeServices(), records=ServiceRecordTable(self.database),
            logs=KeptLogDirectory(self.home / "app-logs", KeepLimits(2**26, 1e6), 0),
        )  # fmt: skip


@pytest.fixture
def plane(database: Database, broker: Broker, tmp_path: Path) -> Iterator[TwoClusters]:
    """Both apps forged and deployed, each in its cluster."""
    made = TwoClusters(database, broker, tmp_path)
    for app in HOMES:
        assert made.work(dispatch.request_forge(made.intake(app), app, force=False, actor="ann")) == "succeeded"
        assert made.work(dispatch.request_deploy(made.intake(app), app, actor="ann")) == "succeeded"
    yield made


def waits(plane: TwoClusters, job: int) -> str:
    """Returns the reason why a job waits while the only deploy worker reaches only the cluster docker."""
    can = factories.capabilities() - {"cluster:far"}
    presence = workers.Presence("w2", JobClass.DEPLOY, "host", 1, 4, factories.ENGINE, None, capabilities=can)
    with plane.database.transaction() as tx:
        workers.say(tx, presence)
        return waiting.reasons(tx, [job]).get(job, "")


def test_a_job_waits_for_a_worker_that_reaches_the_cluster_of_its_app(plane: TwoClusters) -> None:
    near, away = (dispatch.request_restart(plane.intake(app), app, actor="ann") for app in HOMES)
    assert plane.work(near, reached=["docker"]) == "succeeded"
    assert plane.work(away, reached=["docker"]) == "queued"
    assert waits(plane, away.job) == "waits for a worker: no deploy worker reaches the cluster far"
    assert plane.work(away, reached=["far"]) == "succeeded"


def test_only_an_app_on_the_home_engine_requires_it(plane: TwoClusters) -> None:
    with plane.database.transaction() as tx:
        forges = tx.execute(text("SELECT app, requires FROM jobs WHERE kind = 'forge'"))
        assert {app: set(required) for app, required in forges} == {
            "near": {"home", "cluster:docker"}, "away": {"cluster:far"},
        }  # fmt: skip


def replicas(plane: TwoClusters) -> dict[str, list[str]]:
    """Lists the apps of the containers of each cluster."""
    return {
        name: sorted(each.workload.app for each in cluster.containers.values())
        for name, cluster in plane.clusters.items()
    }


def test_each_app_runs_in_its_cluster_alone(plane: TwoClusters) -> None:
    assert replicas(plane) == {"docker": ["near"] * 2, "far": ["away"] * 2}


@pytest.mark.parametrize("app", HOMES)
def test_the_status_says_where_an_app_lives_and_what_runs_there(plane: TwoClusters, app: str) -> None:
    plane.look()
    found = plane.seen(app)
    assert (found.cluster, found.state, found.ready, found.wanted) == (HOMES[app], "running", 2, 2)
    assert found.address == f"http://{app}.{HOMES[app]}.test"


@pytest.mark.parametrize("app", HOMES)
def test_logs_come_from_the_cluster_of_the_app(plane: TwoClusters, app: str) -> None:
    reading = dispatch.request_logs(plane.intake(app), app, ReadLogsJobRequest(9, False), actor="ann")
    assert plane.work(reading, JobClass.OBSERVE) == "succeeded"
    assert set(plane.streams.lines) == {app}


@pytest.mark.parametrize("app", HOMES)
def test_a_scale_changes_the_replicas_in_the_cluster_of_the_app(plane: TwoClusters, app: str) -> None:
    assert plane.work(dispatch.request_scale(plane.intake(app), app, replicas=3, actor="ann")) == "succeeded"
    assert replicas(plane)[HOMES[app]] == [app] * 3


@pytest.mark.parametrize("app", HOMES)
def test_a_replica_that_is_gone_comes_back_in_the_cluster_of_the_app(plane: TwoClusters, app: str) -> None:
    cluster = plane.clusters[HOMES[app]]
    cluster.containers.pop(next(iter(cluster.containers)))
    plane.look()
    assert replicas(plane) == {"docker": ["near"] * 2, "far": ["away"] * 2}


@pytest.mark.parametrize("app", HOMES)
def test_a_forge_rolls_a_changed_spec_out_in_the_cluster_of_the_app(plane: TwoClusters, app: str) -> None:
    plane.write(app, "replicas: 1\nenv: {COLOUR: green}\n")
    assert plane.work(dispatch.request_forge(plane.intake(app), app, force=False, actor="ann")) == "succeeded"
    (changed,) = plane.clusters[HOMES[app]].containers.values()
    assert (changed.workload.env["COLOUR"], changed.workload.release) == ("green", 2)


@pytest.mark.parametrize("app", HOMES)
def test_a_teardown_takes_away_what_is_in_the_cluster_of_the_app_alone(plane: TwoClusters, app: str) -> None:
    assert plane.work(dispatch.request_teardown(plane.intake(app), app, purge=False, actor="ann")) == "succeeded"
    left = {cluster: [name] * 2 for name, cluster in HOMES.items()} | {HOMES[app]: []}
    assert (replicas(plane), plane.seen(app).address) == (left, None)


@pytest.mark.parametrize("app", HOMES)
def test_a_forced_forge_tears_down_and_makes_the_infrastructure_again(plane: TwoClusters, app: str) -> None:
    assert plane.work(dispatch.request_forge(plane.intake(app), app, force=True, actor="ann")) == "succeeded"
    seen = plane.seen(app)
    assert (str(seen.forge_state), seen.live) == ("forged", None)
    assert plane.work(dispatch.request_deploy(plane.intake(app), app, actor="ann")) == "succeeded"
