"""A control plane of this version over an upgraded database: its API, and workers that run its pipelines over fakes.

The engine kept running during the upgrade: the fakes contain the replicas and containers that the database names.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import text

from norn_tasks.adapters.docker_cluster.gate import Gates
from norn_tasks.adapters.kept_logs import KeepLimits, KeptLogDirectory
from norn_tasks.adapters.sources.directories import LocalDirectories
from norn_tasks.adapters.sources.uploads import UnpackedUploads
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Checkout, Limits, Run, Tools, Watch, Workload
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import engines, instance, workers
from norn_tasks.store.fleet.workers import Presence
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue.claims import Claimer
from norn_tasks.store_adapters.outbox import DeliveryOutbox
from norn_tasks.store_adapters.replicas import ReplicaTable
from norn_tasks.store_adapters.service_records import ServiceRecordTable
from norn_tasks.store_adapters.uploads import UploadTable
from norn_tasks.worker.leases import JobStop
from norn_tasks.worker.output import StepOutput
from tests import factories as worlds
from tests.fakes import docker_cluster
from tests.fakes.docker_cluster import FakeCluster
from tests.fakes.engine import FakeContainer, FakeEngine
from tests.fakes.images import FakeImages
from tests.fakes.registry_images import FakeRegistryImages
from tests.fakes.runtime import Does, FakeRuntime
from tests.fakes.services import FakeServices
from tests.fakes.terminal import FakeTerminal
from tests.fakes.tunnel import FakeDns, FakeEdge, FakeExternalHosts, FakeTunnel
from tests.fakes.volumes import FakeVolumes
from tests.fakes.webhooks import FakeMessenger
from tests.integration.api import factories
from tests.integration.api.factories import Api
from tests.upgrade.database import APPS_DIR, KEY

ENGINE, FAR_ENGINE = "engine-one", "engine-two"
"""The engines of the old version's workers; the first one is the home engine."""
CLASSES = (JobClass.DEPLOY, JobClass.INVOKE, JobClass.CRON, JobClass.OBSERVE)
PROGRAMS = {
    ("sh", "-c", "fail"): Does(3, b"half a page\n", b"no paper\n"),
    ("sh", "-c", "echo"): Does(echo=True),
    ("sh", "-c", "report"): Does(0, b"12 orders\n"),
}


def secret_of(token: str) -> str:
    """Returns the secret of one of the old version's tokens."""
    return f"norn_{token}-".ljust(48, "0")


class AnyGit:
    """A git server that has every requested commit (ports.Git); its files only tell how to build."""

    def checkout(self, url: str, ref: str, into: Path, watch: Watch) -> Checkout:
        """Writes the files."""
        into.mkdir(parents=True, exist_ok=True)
        (into / "Dockerfile").write_bytes(b"FROM busybox:stable\n")
        known = hashlib.sha1(f"{url} {ref}".encode(), usedforsecurity=False).hexdigest()
        return Checkout(into, ref if len(ref) == 40 else known)


class Streams:
    """The live streams of the broker (ports.LiveStreams), with a client that reads and never types."""

    def of_job(self, job: int, watch: Watch) -> Any:
        """Opens a stream whose lines are dropped."""
        return SimpleNamespace(stop=watch.stop, sent=None, line=lambda source, text: None, end=lambda: None)

    def terminal(self, job: int, watch: Watch) -> FakeTerminal:
        """Opens a terminal."""
        return FakeTerminal()


@dataclass
class Plane:
    """A control plane over a database; its method `run` runs all ready jobs, as workers do, and returns them."""

    database: Database
    workspace: Path
    runtime: FakeRuntime = field(default_factory=lambda: FakeRuntime(PROGRAMS, on=FakeEngine(id=ENGINE)))
    images: FakeImages = field(default_factory=FakeImages)

    def __post_init__(self) -> None:
        numbers = itertools.count(10_000)  # no container has the number of an old one
        self.runtime._numbers = numbers
        self.name = instance.name(self.database)
        self.cluster = FakeCluster(
            ReplicaTable(self.database), gates=Gates(timeout=1, stay_up=0), drain=0.01, instance=self.name,
            numbers=numbers, commands={("sh", "-l"): lambda terminal: 0},
        )  # fmt: skip
        self.messenger = FakeMessenger(DeliveryOutbox(self.database, self.name))
        self.vault = AgeVault("", KEY)
        self.admin = factories.api(self.database, apps_dir=APPS_DIR, data_dir=self.workspace, age_key_file=KEY)
        self.intake = self.admin.services.intake
        self._find_replicas()
        self.speak()

    def close(self) -> None:
        """Ends its threads."""
        self.admin.services.close()

    def asked_as(self, token: str) -> Api:
        """Returns the API with one of the old version's tokens."""
        return replace(self.admin, token=secret_of(token))

    def get(self, path: str) -> Any:
        """Returns the body of a GET response, whose status must be 200."""
        answer = self.admin.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json

    def rows(self, statement: str, **bound: Any) -> list[Any]:
        """Returns the rows of a query."""
        with self.database.transaction() as tx:
            return list(tx.execute(text(statement), bound))

    def speak(self) -> None:
        """Writes the rows with which this version's workers report."""
        with self.database.transaction() as tx:
            engines.speak(tx, ENGINE, "new-host", registry=False)
            for job_class in CLASSES:
                said = Presence(f"{job_class}@new-host", job_class, "new-host", 1, 16, ENGINE, None, 64 * 2**30, 2**31)
                workers.say(tx, said)

    def run(self, *classes: JobClass, engine: str = ENGINE) -> list[Job]:
        """Claims and runs ready jobs of these classes (by default all) until none is ready."""
        runner = Runner(Ledger(self.database, patience=1), self._tools(), StepOutput(self.database))
        done: list[Job] = []
        can = worlds.capabilities(engine, home=engine == ENGINE)
        for job_class in classes or CLASSES:
            claimer = Claimer(f"{job_class}@new-host", job_class, engine, 30, 5, can)
            while (job := take(self.database, claimer)) is not None:
                runner.run(replace(job, here={"docker": engine}), JobStop())
                done.append(job)
        return done

    def hold(self, job: int) -> None:
        """Adds to the engine the container that a job recorded; the container runs and succeeds."""
        (row,) = self.rows("SELECT app, kind, container, execution FROM jobs WHERE id = :job", job=job)
        owner = f"execution:{row.execution}" if row.execution else f"execution:t{job}"
        run = Run(f"old-{job}", row.app, owner, "old", None, {}, timeout=60, memory=2**28, cpus=1, network="none")
        now = time.monotonic()
        self.runtime.containers[row.container] = FakeContainer(row.container, run, 0, now, now)

    def _find_replicas(self) -> None:
        for row in self.rows("SELECT * FROM replicas ORDER BY app, created_at"):
            workload = Workload(row.app, row.release, row.generation, "old", 1)
            started = time.monotonic() if row.state == "live" else None
            found = docker_cluster.FakeContainer(row.container, self.name, self._next_index(row.app), workload, started)
            self.cluster.containers[row.container] = found

    def _next_index(self, app: str) -> int:
        return 1 + sum(each.workload.app == app for each in self.cluster.containers.values())

    def _tools(self) -> Tools:
        return Tools(
            git=AnyGit(), directories=LocalDirectories(most=2**20),
            sources=UnpackedUploads(UploadTable(self.database), most=2**20), images=self.images,
            deploys=cast(Any, None), registry_images=FakeRegistryImages(self.images),
            clusters={"docker": self.cluster}, engines={"docker": self.runtime.on},
            runtimes={"docker": self.runtime}, volumes=FakeVolumes(),
            limits=Limits(5, 512 * 2**20, 1, 0, self.workspace, self.name),
            live=Streams(), vault=self.vault, messenger=self.messenger,
            sops=cast(Any, None), secret_files=cast(Any, None),
            keyring=cast(Any, None), sealed_rows=cast(Any, None),
            tunnel=FakeTunnel(), dns=FakeDns(), edge=FakeEdge(), hosts=FakeExternalHosts(),
            services=FakeServices(), records=ServiceRecordTable(self.database),
            logs=KeptLogDirectory(self.workspace / "app-logs", KeepLimits(2**26, 1e6), 0),
        )  # fmt: skip


__all__ = ["CLASSES", "ENGINE", "FAR_ENGINE", "JobKind", "Plane", "secret_of"]
