"""Prepares the data with which tests start, by the store's own functions: apps with a live release, accepted jobs,
claims.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, text, update

from norn_tasks.celery_app import Waker
from norn_tasks.dispatch import Intake
from norn_tasks.domain.infraspec import Infraspec, parse
from norn_tasks.domain.jobs import requests
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.container import ContainerRef
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.placement import BUILDS, HOME, cluster_capability, engine_capability, runtime_capability
from norn_tasks.domain.jobs.requests import DeployJobRequest, DirectorySource, ExecJobRequest, JobRequest
from norn_tasks.domain.schedule import policy_of
from norn_tasks.settings import Settings
from norn_tasks.store.apps import enrolment
from norn_tasks.store.broker.live import Live
from norn_tasks.store.cron import schedules
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.session import Database, Tx
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue import jobs, slots
from norn_tasks.store.queue.claims import Claimer
from norn_tasks.store.queue.jobs import NewJob
from norn_tasks.store.tables import AppRow, CronStateRow, DeploymentRow, JobRow, ReleaseRow

ENGINE = "engine-1"
CLUSTER = "docker"
NOWHERE = "redis://127.0.0.1:1/0"
"""The address of a broker that refuses connections: wake-up messages are lost, which may only cause delays."""

LONG_AGO = text("clock_timestamp() - interval '1 day'")

EXEC = ExecJobRequest(("true",), replica=None, tty=False, term="", size=None)
DEPLOY = DeployJobRequest(DirectorySource("/srv/apps/blog"), None)

SPECS = {
    "webserver": "port: 8080\n",
    "worker": "",
    "cron": "schedule: '0 9 * * *'\n",
    "function": "",
}


def spec(app: str, role: str = "function", more: str = "") -> Infraspec:
    """Returns a small valid spec."""
    return parse(f"app: {app}\nrole: {role}\n{SPECS[role]}{more}")


def intake(database: Database, broker_url: str = NOWHERE, **settings: Any) -> Intake:
    """Returns an intake (which accepts jobs) over this database."""
    chosen = Settings(database_url=database.url, broker_url=broker_url, **settings)
    return Intake(database, chosen, Waker(broker_url), Live(broker_url))


def add_app(tx: Tx, wanted: Infraspec, *, forged: bool = True) -> None:
    """Makes the app's row: as a forge leaves it, or before its first forge if `forged` is false."""
    state = "forged" if forged else "unforged"
    row = {"name": wanted.app, **enrolment.registered(wanted), "source": "applied"}
    cluster = CLUSTER if forged and wanted.role in ("webserver", "worker") else None
    tx.execute(insert(AppRow).values(**row, forge_state=state, cluster=cluster))


def add_release(tx: Tx, wanted: Infraspec, n: int = 1, *, image: str | None = None, live: bool = True) -> int:
    """Makes a release of the app, with its deployment; returns the deployment's id."""
    app = wanted.app
    deployment = tx.execute(
        insert(DeploymentRow)
        .values(app=app, job_id=0, kind="deploy", state="deployed", release=n, actor="test")
        .returning(DeploymentRow.id)
    ).scalar_one()
    made = {"app": app, "n": n, "image": f"norn/{app}:{n}", "image_id": image or f"sha256:{n}", "engine": ENGINE}
    tx.execute(insert(ReleaseRow).values(**made, revision=f"dir-{n}", spec=wanted.frozen(), live_at=NOW))
    if live:
        tx.execute(update(AppRow).where(AppRow.name == app).values(live_deployment=deployment, live_generation=n))
    return int(deployment)


def add_live(database: Database, app: str, role: str = "function", more: str = "", *, at_once: int = 4) -> Infraspec:
    """Makes an app with a live release and its slots (concurrent runs); a cron app's schedule starts now."""
    wanted = spec(app, role, more)
    with database.transaction() as tx:
        add_app(tx, wanted)
        add_release(tx, wanted)
        if role == "function":
            slots.resize(tx, JobClass.INVOKE, app, at_once)
        if role == "cron":
            count = at_once if at_once != 4 else 1
            schedules.register(tx, app, str(wanted.schedule), wanted.timezone, count, policy_of(wanted))
            slots.resize(tx, JobClass.CRON, app, at_once if at_once != 4 else 1)
            schedules.awaken(tx, app)
    return wanted


def add_live_cron(database: Database, app: str, lines: str, *, at_once: int = 1) -> Infraspec:
    """Makes a cron app with a live release and its slots, from the given lines of an infraspec; its schedule starts
    now.
    """
    wanted = parse(f"app: {app}\nrole: cron\n{lines}")
    with database.transaction() as tx:
        add_app(tx, wanted)
        add_release(tx, wanted)
        schedules.register(tx, app, str(wanted.schedule), wanted.timezone, at_once, policy_of(wanted))
        slots.resize(tx, JobClass.CRON, app, at_once)
        schedules.awaken(tx, app)
    return wanted


def add_job(
    tx: Tx, kind: JobKind = JobKind.FORGE, app: str = "blog", args: dict[str, Any] | None = None, **more: Any
) -> int:
    """Accepts a job with these arguments; those that its kind requires and that are not given get default values."""
    return jobs.accept(tx, NewJob(request(kind, **(args or {})), app=app, actor="test", patience=3600, **more))


def add_deploy(tx: Tx, app: str) -> int:
    """Accepts a deploy with its deployment; returns the job's id."""
    job = add_job(tx, JobKind.DEPLOY, app)
    row = {"app": app, "job_id": job, "kind": "deploy", "release": job, "actor": "test"}
    made = tx.execute(insert(DeploymentRow).values(**row).returning(DeploymentRow.id)).scalar_one()
    tx.execute(update(JobRow).where(JobRow.id == job).values(deployment=made))
    return job


def request(kind: JobKind, **args: Any) -> JobRequest:
    """Returns a request of this kind with these arguments; missing ones get default values."""
    needed: dict[JobKind, dict[str, Any]] = {
        JobKind.DEPLOY: DEPLOY.to_json(),
        JobKind.NOTIFY: {"delivery": 1, "attempt": 1},
        JobKind.RUN: {"command": ["true"], "timeout": 60},
        JobKind.READ_LOGS: {"tail": 10, "follow": False},
        JobKind.EXPORT_SECRETS: {"recipients": ["age1mine"]},
        JobKind.EXEC: EXEC.to_json(),
        JobKind.POLL: {"branches": []},
        JobKind.RESTORE: {"snapshot": 1},
        JobKind.PUSH: {"url": "https://git.example/blog.git", "branch": "main", "after": "1" * 40},
    }
    return requests.read(kind, {"image_id": "sha256:1", **needed.get(kind, {}), **args})


def container(id: str, engine: str = ENGINE) -> ContainerRef:
    """Returns a container of the default runtime."""
    return ContainerRef("docker", engine, id)


def capabilities(engine: str = ENGINE, *, home: bool = True) -> frozenset[str]:
    """Returns the capabilities of a worker on this engine, which responds; the worker reaches the cluster `far` too."""
    can = {engine_capability(engine), runtime_capability("docker"), BUILDS, cluster_capability("far")}
    return frozenset(can | {HOME, cluster_capability("docker")} if home else can)


def claimer(worker: str = "w1", job_class: JobClass = JobClass.DEPLOY, lease: float = 30) -> Claimer:
    """Returns a worker that can claim jobs."""
    return Claimer(worker, job_class, ENGINE, lease, 5, capabilities())


def claim(database: Database, worker: str = "w1", job_class: JobClass = JobClass.DEPLOY, lease: float = 30) -> Job:
    """Claims the next job; fails if no job is ready."""
    job = take(database, claimer(worker, job_class, lease))
    assert job is not None, "nothing was ready"
    return job


def make_due(tx: Tx, app: str, ago: str) -> None:
    """Moves a schedule into the past, as if the scheduler had last decided `ago` (an interval)."""
    moment = text(f"clock_timestamp() - interval '{ago}'")
    tx.execute(
        update(CronStateRow).where(CronStateRow.app == app).values(decided_until=moment, next_due=moment, anchor=moment)
    )
