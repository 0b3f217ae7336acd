"""What anyone may ask of Norn: each request is accepted in one transaction, and its class is woken after the commit.

The API is the usual caller. Everything that can be known to be wrong is refused here, before a job exists; from the
moment a request is accepted, its job is a row that ends in a terminal state whatever dies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from norn_tasks.celery_app import Waker
from norn_tasks.domain.call import Call
from norn_tasks.domain.deployment import DeploymentKind
from norn_tasks.domain.errors import (
    BodyTooLarge,
    InvalidRequest,
    NotFound,
    Unavailable,
    WrongRole,
)
from norn_tasks.domain.infraspec import Infraspec, Role
from norn_tasks.domain.job import JobClass, JobKind
from norn_tasks.domain.schedule import Trigger
from norn_tasks.settings import Settings
from norn_tasks.store import acceptance, apps, endings, jobs, releases, runs, slots, workers
from norn_tasks.store.deploying import accept_deployment
from norn_tasks.store.idempotency import IdempotencyKey, recall, remember
from norn_tasks.store.jobs import NewJob
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database, Row, Tx

LONG_RUNNING = (Role.WEBSERVER, Role.WORKER)
WORKER_SILENCE = 15.0
"""Seconds without any worker of a class after which a request that waits for its answer is refused at once."""
MAX_REPLICAS = 100


@dataclass(frozen=True)
class Intake:
    """What accepting needs: the database, the settings, the wake-ups, the live side of the broker."""

    database: Database
    settings: Settings
    waker: Waker
    live: Live


def open_intake(database: Database, settings: Settings) -> Intake:
    """Makes the intake of a process, over the broker that the settings name."""
    return Intake(database, settings, Waker(settings.broker_url), Live(settings.broker_url))


@dataclass(frozen=True)
class Accepted:
    """What was accepted. `replayed`: the same Idempotency-Key came before, and this is what it made."""

    job: int
    deployment: int | None = None
    execution: int | None = None
    replayed: bool = False


def _accept(
    intake: Intake, job_class: JobClass, key: IdempotencyKey | None, write: Callable[[Tx], Accepted]
) -> Accepted:
    """Runs the one transaction of an acceptance, then wakes the class."""
    with intake.database.transaction() as tx:
        before = recall(tx, key)
        if before is not None and before.job is not None:
            row = jobs.get(tx, before.job)
            return Accepted(before.job, row["deployment"], row["execution"], replayed=True)
        accepted = write(tx)
        remember(tx, key, accepted.job, 202)
    intake.waker.wake(job_class)
    return accepted


def _new(intake: Intake, kind: JobKind, app: str, actor: str, **more: Any) -> NewJob:
    return NewJob(kind=kind, app=app, actor=actor, patience=intake.settings.job_patience, **more)


def _found(intake: Intake, tx: Tx, name: str) -> tuple[apps.FoundApp, Row]:
    """Finds an app in rows and directories, and locks its row."""
    found = apps.find(tx, intake.settings.apps_dir, name)
    origin = found.origin if found.from_directory else None
    return found, acceptance.enrol(tx, name, found.spec.to_json(), origin)


def _only(found: apps.FoundApp, roles: tuple[Role, ...], verb: str) -> None:
    if found.spec.role not in roles:
        raise WrongRole(f"{found.name} is a {found.spec.role}: {verb}", hint=f"norn status {found.name}")


def request_forge(intake: Intake, app: str, *, force: bool, actor: str, key: IdempotencyKey | None = None) -> Accepted:
    """Asks for the app's infrastructure; `force` tears down first and supersedes its deploys."""

    def write(tx: Tx) -> Accepted:
        found, row = _found(intake, tx, app)
        if force:
            endings.supersede(tx, app, "a forced forge came after it", also_running=True, actor=actor)
        args = {"force": force, "override": acceptance.override_of(row)}
        return Accepted(jobs.accept(tx, _new(intake, JobKind.FORGE, app, actor, spec=found.spec.to_json(), args=args)))

    return _accept(intake, JobClass.DEPLOY, key, write)


def request_deploy(
    intake: Intake, app: str, *, ref: str | None, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Asks for a new release from the app's source; a deploy that still waits is superseded."""

    def write(tx: Tx) -> Accepted:
        found, row = _found(intake, tx, app)
        source = _source(found, ref)
        acceptance.require_forged(tx, row)
        endings.supersede(tx, app, "a newer deploy came after it", also_running=False, actor=actor)
        args = {**source, "override": acceptance.override_of(row)}
        new = _new(intake, JobKind.DEPLOY, app, actor, spec=found.spec.to_json(), args=args)
        made = accept_deployment(tx, new, DeploymentKind.DEPLOY, ref=source["ref"])
        return Accepted(made.job, made.deployment)

    return _accept(intake, JobClass.DEPLOY, key, write)


def _source(found: apps.FoundApp, ref: str | None) -> dict[str, Any]:
    """Answers where the revision comes from, frozen for the job."""
    if found.source == "git":
        return {"source": "git", "url": found.spec.repo.url, "ref": ref or found.spec.repo.branch}
    if found.source != "directory":
        raise InvalidRequest(
            f"{found.name} has no source to deploy from",
            hint="set repo.url in its infraspec.yaml, or put its directory into NORN_APPS_DIR",
        )
    if ref is not None:
        raise InvalidRequest(
            f"ref: {found.name} is deployed from the directory {found.origin}, which has no refs",
            hint=f"norn deploy {found.name}, without a ref; or set repo.url",
        )
    return {"source": "directory", "origin": found.origin, "ref": None}


def request_rollback(
    intake: Intake, app: str, *, release: int | None, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Asks for an earlier release; the app's deploys give way to it."""

    def write(tx: Tx) -> Accepted:
        _, row = _found(intake, tx, app)
        target = releases.rollback_target(tx, app, release)
        endings.supersede(tx, app, "a rollback came after it", also_running=True, actor=actor)
        new = _of_release(intake, JobKind.ROLLBACK, target, row, actor)
        made = accept_deployment(tx, new, DeploymentKind.ROLLBACK, revision=target["revision"])
        return Accepted(made.job, made.deployment)

    return _accept(intake, JobClass.DEPLOY, key, write)


def _of_release(intake: Intake, kind: JobKind, release: Row, app: Row, actor: str, **args: Any) -> NewJob:
    frozen = {"image_id": release["image_id"], "override": acceptance.override_of(app), **args}
    return _new(
        intake, kind, release["app"], actor, spec=release["spec"], engine=release["engine"], release=release["n"],
        args=frozen,
    )  # fmt: skip


def request_restart(intake: Intake, app: str, *, actor: str, key: IdempotencyKey | None = None) -> Accepted:
    """Asks for fresh containers of the live release, one after the other."""

    def write(tx: Tx) -> Accepted:
        found, row = _found(intake, tx, app)
        _only(found, LONG_RUNNING, "there is nothing that stays running to restart")
        live = releases.require_live(tx, app)
        return Accepted(jobs.accept(tx, _of_release(intake, JobKind.RESTART, live, row, actor)))

    return _accept(intake, JobClass.DEPLOY, key, write)


def request_scale(
    intake: Intake, app: str, *, replicas: int | None, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Asks for so many replicas, whatever the spec says; None goes back to the spec's number."""
    if replicas is not None and not 0 <= replicas <= MAX_REPLICAS:
        raise InvalidRequest(f"replicas: {replicas} is not from 0 to {MAX_REPLICAS}", hint=f"norn scale {app} 2")

    def write(tx: Tx) -> Accepted:
        found, row = _found(intake, tx, app)
        _only(found, LONG_RUNNING, "it has no replicas")
        live = releases.require_live(tx, app)
        override = acceptance.set_override(tx, app, replicas, int(live["spec"].get("replicas", 1)), actor)
        args = {"generation": live["generation"], "override": override}
        return Accepted(jobs.accept(tx, _of_release(intake, JobKind.SCALE, live, row, actor, **args)))

    return _accept(intake, JobClass.DEPLOY, key, write)


def request_teardown(
    intake: Intake, app: str, *, purge: bool, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Asks to remove what forge made; the app's deploys give way to it."""

    def write(tx: Tx) -> Accepted:
        found, _ = _found(intake, tx, app)
        endings.supersede(tx, app, "a teardown came after it", also_running=True, actor=actor)
        new = _new(intake, JobKind.TEARDOWN, app, actor, spec=found.spec.to_json(), args={"purge": purge})
        return Accepted(jobs.accept(tx, new))

    return _accept(intake, JobClass.DEPLOY, key, write)


def request_cancel(intake: Intake, job: int, *, actor: str) -> None:
    """Cancels a queued job at once, and asks a running one to stop; an ended one stays as it is."""
    with intake.database.transaction() as tx:
        row = acceptance.cancel(tx, job, actor)
    if row["state"] == "queued":
        intake.waker.wake(JobClass(row["class"]))
        if row["execution"] is not None:
            intake.live.announce_end(row["execution"])


def request_invoke(
    intake: Intake,
    app: str,
    *,
    call: Call,
    sync: bool,
    actor: str,
    key: IdempotencyKey | None = None,
    release: int | None = None,
) -> Accepted:
    """Asks for one call of a function; `release` None is the live one.

    A synchronous one is refused at once while the broker is away or no worker takes calls, and makes no job then.
    """
    if sync:
        _refuse_without_workers(intake, JobClass.INVOKE)

    def write(tx: Tx) -> Accepted:
        target, spec = _function(tx, app, release)
        if len(call.body) > spec.function.max_body:
            raise BodyTooLarge(
                f"the body has {len(call.body)} bytes, and {app} takes {spec.function.max_body}",
                hint="raise function.maxBody in its infraspec.yaml",
            )
        patience = float(spec.function.timeout) if sync else intake.settings.async_patience
        run = runs.accept_call(tx, target, call, sync=sync, actor=actor, patience=patience)
        return Accepted(run.job, execution=run.execution)

    return _accept(intake, JobClass.INVOKE, key, write)


def _function(tx: Tx, app: str, release: int | None) -> tuple[Row, Infraspec]:
    role = apps.role_of(tx, app)
    if role != Role.FUNCTION:
        raise WrongRole(f"{app} is a {role}: only a function can be invoked", hint=f"norn status {app}")
    target = releases.require_live(tx, app) if release is None else releases.rollback_target(tx, app, release)
    return target, apps.spec_of(target["spec"])


def _refuse_without_workers(intake: Intake, job_class: JobClass) -> None:
    """For who waits for the answer: raises Unavailable or EngineDown when nobody could give it now."""
    if intake.waker.broken or not intake.live.answers():
        raise Unavailable("the broker does not take messages right now", hint="norn health", retry_after=5)
    with intake.database.transaction() as tx:
        workers.require(tx, job_class, WORKER_SILENCE)


def request_cron_run(
    intake: Intake, app: str, *, force: bool, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Asks for a run now, paused or not; the schedule does not move. `force` runs beside one that runs already."""

    def write(tx: Tx) -> Accepted:
        found, _ = _found(intake, tx, app)
        _only(found, (Role.CRON,), "it has no runs")
        live = releases.require_live(tx, app)
        if live["spec"].get("concurrency", "forbid") == "forbid" and not force:
            acceptance.refuse_overlap(tx, app)
        run = runs.accept_cron_run(
            tx, live, trigger=Trigger.MANUAL, scheduled_for=None, actor=actor, patience=intake.settings.job_patience
        )
        if force:
            slots.hold_extra(tx, JobClass.CRON, app, run.job)
        return Accepted(run.job, execution=run.execution)

    return _accept(intake, JobClass.CRON, key, write)


def request_logs(intake: Intake, app: str, *, tail: int, follow: bool, actor: str) -> Accepted:
    """Asks a worker to read the app's live logs into the job's live stream; refused at once when none can."""
    with intake.database.transaction() as tx:
        if apps.role_of(tx, app) not in LONG_RUNNING:
            raise NotFound(f"{app} has no running containers to read from", hint=f"norn status {app}")
    _refuse_without_workers(intake, JobClass.OBSERVE)

    def write(tx: Tx) -> Accepted:
        args = {"tail": tail, "follow": follow}
        return Accepted(jobs.accept(tx, NewJob(JobKind.READ_LOGS, app, actor, patience=30.0, args=args)))

    return _accept(intake, JobClass.OBSERVE, None, write)


def request_look(intake: Intake, *, actor: str) -> Accepted:
    """Asks for a look at engine and cluster; joins one that waits or runs already."""

    def write(tx: Tx) -> Accepted:
        joined = jobs.coalesced(tx, JobKind.OBSERVE, "", "look")
        if joined is not None:
            return Accepted(joined)
        return Accepted(jobs.accept(tx, NewJob(JobKind.OBSERVE, "", actor, patience=60.0, dedupe_key="look")))

    return _accept(intake, JobClass.OBSERVE, None, write)
