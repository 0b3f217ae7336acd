"""A control plane of the old version: its stores, its API, and workers that run its pipelines over the tests' fakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from norn_tasks.adapters.directories import LocalDirectories
from norn_tasks.adapters.uploads import UnpackedUploads
from norn_tasks.domain.job import Job, JobClass
from norn_tasks.scheduler.deciding import Deciding
from norn_tasks.store.claimed import take
from norn_tasks.store.claims import Claimer
from norn_tasks.store.deliveries import Outbox
from norn_tasks.store.routes import ReplicaTable
from norn_tasks.store.session import Database
from norn_tasks.store.sources import UploadTable
from norn_tasks.store.workers import Presence
from norn_tasks.worker.heart import JobStop
from sqlalchemy import text

from norn_tasks.adapters.docker_cluster.gate import Gates
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.domain.access import Scope
from norn_tasks.embedded.keys import ensure_key
from norn_tasks.pipelines.failpoints import Point
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.store import cron_alerts, engines, instance, sweeper, tokens, workers
from norn_tasks.store.ledger import Ledger
from norn_tasks.worker.output import StepOutput
from tests import factories
from tests.archives import packed
from tests.fakes.docker_cluster import Acts, FakeCluster
from tests.fakes.git import FakeGit
from tests.fakes.images import FakeImages
from tests.fakes.runtime import Does, FakeRuntime
from tests.fakes.terminal import FakeTerminal
from tests.fakes.volumes import FakeVolumes
from tests.fakes.webhooks import FakeMessenger
from tests.integration.api.factories import Api, create_app

ENGINE, FAR_ENGINE = "engine-one", "engine-two"
DOCKERFILE = b"FROM busybox:stable\n"
EVERYTHING = (JobClass.DEPLOY, JobClass.INVOKE, JobClass.CRON, JobClass.OBSERVE)
TOKENS: dict[str, tuple[tuple[Scope, ...], tuple[str, ...] | None]] = {
    "ann": ((Scope.ADMIN,), None),
    "deployer": ((Scope.DEPLOY,), None),
    "shop-caller": ((Scope.READ, Scope.INVOKE), ("shop", "resize")),
    "gone": ((Scope.READ,), None),
}
"""Tokens by name; the secret of each is `secret_of(name)`."""


def secret_of(name: str) -> str:
    """Returns the secret of a token: of the shape that the product makes, and the same each time."""
    return f"norn_{name}-".ljust(48, "0")


class Killed(BaseException):
    """Simulates a killed worker process: no code of Norn catches this exception."""


class World:
    """A control plane of the old version; the method `play` runs one job as a worker does, `drain` all ready ones."""

    def __init__(self, database: Database, broker_url: str, home: Path, apps_dir: Path) -> None:
        self.database, self.home = database, home
        self.intake = factories.intake(
            database, broker_url, data_dir=home, apps_dir=apps_dir, deadman_url="https://deadman.example/ping",
            notify_attempts=2, notify_backoff=0.01,
        )  # fmt: skip
        ensure_key(database, self.intake.settings)
        self.app = create_app(self.intake)
        self.git, self.images = FakeGit(), FakeImages()
        self.runtime = FakeRuntime(PROGRAMS, engine=ENGINE)
        self.tools = self._tools()
        self.cluster.commands = {("sh", "-l"): lambda terminal: 0}

    def _tools(self) -> Tools:
        database, vault = self.database, AgeVault("", self.home / "age.key")
        self.messenger = FakeMessenger(Outbox(database, instance.name(database)))
        self.cluster = FakeCluster(
            ReplicaTable(database), programs=REPLICAS, gates=Gates(timeout=0.5, stay_up=0), drain=0.01,
            instance=instance.name(database),
        )  # fmt: skip
        return Tools(
            git=self.git, directories=LocalDirectories(most=2**20),
            sources=UnpackedUploads(UploadTable(database), most=2**20), images=self.images, cluster=self.cluster,
            runtimes={"docker": self.runtime}, volumes=FakeVolumes(),
            limits=Limits(5, 512 * 2**20, 1, 0, self.home / "work", (18800, 19799), instance.name(database)),
            live=Streams(), vault=vault, messenger=self.messenger,
        )  # fmt: skip

    # Actions of users

    def make_tokens(self) -> None:
        """Makes every token of `TOKENS`."""
        with self.database.transaction() as tx:
            for name, (scopes, apps) in TOKENS.items():
                tokens.create(tx, secret_of(name), name=name, scopes=scopes, apps=apps, actor="norn")

    def ask(self, method: str, path: str, *, by: str = "ann", key: str | None = None, **more: Any) -> Any:
        """Sends a request to the API and returns its body; it must be accepted."""
        headers = {**more.pop("headers", {}), **({"Idempotency-Key": key} if key else {})}
        answer = Api(self.app, self.database, secret_of(by)).ask(method, f"/api/{path}", headers=headers, **more)
        assert answer.status_code < 300, (method, path, answer.text)
        return answer.json

    def post(self, path: str, *, by: str = "ann", key: str | None = None, **body: Any) -> Any:
        """Sends a POST with a JSON body."""
        return self.ask("POST", path, by=by, key=key, json=body)

    def apply(self, app: str, spec: str) -> None:
        """Applies an infraspec."""
        self.ask("PUT", f"apps/{app}", data=spec, headers={"Content-Type": "text/yaml"})

    def commit(self, app: str, spec: str) -> str:
        """Makes a commit of the app's repository."""
        files = {"infraspec.yaml": spec.encode(), "Dockerfile": DOCKERFILE}
        return self.git.commit(f"https://git.example/{app}.git", files)

    def upload(self, app: str, spec: str, **files: bytes) -> str:
        """Uploads a source and returns its revision."""
        data = packed({"infraspec.yaml": spec.encode(), "Dockerfile": DOCKERFILE, **files})
        kept = self.ask("PUT", f"apps/{app}/source", data=data, headers={"Content-Type": "application/gzip"})
        return str(kept["revision"])

    def live(self, app: str, role: str, *lines: str, secrets: Mapping[str, str] | None = None) -> str:
        """Applies, forges and deploys an app of a repository; returns its spec."""
        written = spec(app, role, *lines)
        self.commit(app, written)
        self.apply(app, written)
        if secrets:
            self.ask("PUT", f"apps/{app}/secrets", json={"values": secrets})
        self.post(f"apps/{app}/forge")
        self.post(f"apps/{app}/deploy", by="deployer", key="first" if app == "shop" else None)
        self.drain(JobClass.DEPLOY)
        return written

    # Actions of workers and schedulers

    def speak(self) -> None:
        """Writes the rows of a worker of each class and of a beat."""
        with self.database.transaction() as tx:
            engines.speak(tx, ENGINE, "old-host", registry=False)
            for number, job_class in enumerate(EVERYTHING):
                presence = Presence(
                    f"{job_class}@old-host", job_class, "old-host", 100 + number, 16, ENGINE, None,
                    memory=64 * 2**30, building=2 * 2**30,
                )  # fmt: skip
                workers.say(tx, presence)
            elsewhere = Presence("observe@far-host", JobClass.OBSERVE, "far-host", 100, 4, FAR_ENGINE, None)
            workers.say(tx, elsewhere)
            workers.beat(tx, "beat@old-host:104", 0.02)

    def play(
        self, job_class: JobClass, *, kill: tuple[str, Point] | None = None, lease: float = 30,
        stop: JobStop | None = None, engine: str = ENGINE,
    ) -> Job | None:  # fmt: skip
        """Claims and runs one job; `kill`: the worker dies at this point of it, and its lease ends soon."""

        def reach(step: str, point: Point) -> None:
            if (step, point) == kill:
                raise Killed

        standing = engines.Standing(home=engine == ENGINE)
        claimer = Claimer(f"{job_class}@old-host", job_class, engine, 0.5 if kill else lease, 5, standing)
        job = take(self.database, claimer)
        if job is None:
            return None
        runner = Runner(Ledger(self.database, patience=1), self.tools, StepOutput(self.database), reach=reach)
        try:
            runner.run(replace(job, here=engine), stop or JobStop())
        except Killed:
            return job
        assert kill is None, f"job {job.id} ({job.kind}) never came to {kill}"
        return job

    def drain(self, *classes: JobClass) -> None:
        """Runs all ready jobs of these classes."""
        for job_class in classes or EVERYTHING:
            while self.play(job_class) is not None:
                pass

    def sweep(self) -> None:
        """Sweeps as a scheduler does."""
        sweeper.sweep(self.database, max_claims=5)

    def beat(self) -> None:
        """Decides due occurrences, and evaluates the alert rules."""
        Deciding(self.database, self.intake.settings, self.intake.waker, "beat@old-host:104").round()
        cron_alerts.look(self.database, self.intake.settings.alert_paused_days)

    def make_due(self, app: str, ago: str) -> None:
        """Sets a schedule back, as if nobody had decided it for this long."""
        with self.database.transaction() as tx:
            factories.make_due(tx, app, ago)

    def sql(self, statement: str, **bound: Any) -> None:
        """Changes rows directly, because otherwise only the passing of time would change them."""
        with self.database.transaction() as tx:
            tx.execute(text(statement), bound)

    def grow_older(self, interval: str) -> None:
        """Moves all times of the database into the past, except those of schedules."""
        columns = text("""SELECT table_name, column_name FROM information_schema.columns
            WHERE table_schema = 'public' AND data_type = 'timestamp with time zone' AND table_name <> 'cron_states'
              AND table_name IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public')""")
        with self.database.transaction() as tx:
            for table, column in tx.execute(columns).all():
                tx.execute(text(f"UPDATE {table} SET {column} = {column} - CAST(:by AS interval)"), {"by": interval})


class Streams:
    """A fake of `ports.LiveStreams`, whose streams drop their lines."""

    def of_job(self, job: int, watch: Any) -> Any:
        """Opens a stream that nobody reads."""
        return Silence(watch)

    def terminal(self, job: int, watch: Any) -> FakeTerminal:
        """Opens a terminal."""
        return FakeTerminal()


class Silence:
    """A stream that nobody reads (ports.LiveStream)."""

    def __init__(self, watch: Any) -> None:
        self.stop = watch.stop

    def line(self, source: str, text: str) -> None:
        """Drops a line."""

    def end(self) -> None:
        """Ends."""


def spec(app: str, role: str, *lines: str) -> str:
    """Returns an infraspec with the required fields and these lines."""
    needed: tuple[str, ...] = ()
    if role == "webserver" and not any(line.startswith("port:") for line in lines):
        needed = ("port: 8080",)
    if role == "cron" and not any(line.startswith("schedule:") for line in lines):
        needed = ('schedule: "0 9 * * *"',)
    repo = () if "uploaded" in lines else (f"repo: {{url: https://git.example/{app}.git}}",)
    said = [line for line in lines if line != "uploaded"]
    return "\n".join([f"app: {app}", f"role: {role}", *needed, *said, *repo, ""])


PROGRAMS = {
    ("sh", "-c", "fail"): Does(3, b"half a page\n", b"no paper\n"),
    ("sh", "-c", "greedy"): Does(out_of_memory=True),
    ("sh", "-c", "test-fails"): Does(1, b"1 of 12 tests failed\n"),
    ("sh", "-c", "report"): Does(0, b"12 orders\n"),
    ("sh", "-c", "echo"): Does(echo=True),
    ("ls", "-l"): Does(0, b"total 0\n"),
}
REPLICAS = {("sh", "-c", "crash"): Acts(exits=1, lines=("no database",)), ("sh", "-c", "deaf"): Acts(listens=False)}
