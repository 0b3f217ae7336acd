"""Accepts a request: one transaction, an idempotency key, and a wake-up of workers after the commit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from norn_tasks.celery_app import Waker
from norn_tasks.dispatch.calls.groups import CallGroups
from norn_tasks.domain.errors import DeadlockVictim, Unavailable, WrongRole
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import JobRequest
from norn_tasks.settings import Settings
from norn_tasks.store.access.idempotency import IdempotencyKey, recall, remember
from norn_tasks.store.apps import enrolment, registry
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database, Row, Tx
from norn_tasks.store.fleet import workers
from norn_tasks.store.queue import jobs
from norn_tasks.store.queue.jobs import NewJob

WORKER_SILENCE = 15.0
"""After this many seconds without any worker of a class, requests that would wait for their result are refused
immediately.
"""

DEADLOCK_RETRIES = 3
"""How often an acceptance is repeated after a deadlock with another one."""


@dataclass(frozen=True)
class Intake:
    """The objects that the acceptance of requests needs."""

    database: Database
    """The database that keeps the requests."""
    settings: Settings
    """The settings of the process."""
    waker: Waker
    """Sends wake-ups to workers."""
    live: Live
    """The live streams, which pass through the broker."""
    groups: CallGroups = field(default_factory=CallGroups)
    """The asynchronous calls that are being accepted together."""


def open_intake(database: Database, settings: Settings) -> Intake:
    """Creates the intake of a process, with the broker that the settings name."""
    return Intake(database, settings, Waker(settings.broker_url), Live(settings.broker_url))


@dataclass(frozen=True)
class Accepted:
    """The result of accepting a request."""

    job: int
    """The id of the job."""
    deployment: int | None = None
    """The id of its deployment, for a deploy or a rollback."""
    execution: int | None = None
    """The id of its execution, for a call, a cron run or a one-off."""
    replayed: bool = False
    """True if the Idempotency-Key was used before, so that this is the result of that first request."""


def accept(
    intake: Intake, job_class: JobClass, key: IdempotencyKey | None, write: Callable[[Tx], Accepted]
) -> Accepted:
    """Runs the transaction of an acceptance, repeats it after a deadlock, and then wakes the workers of the class."""
    accepted = _written(intake, key, write)
    if not accepted.replayed:
        intake.waker.wake(job_class)
    return accepted


def _written(intake: Intake, key: IdempotencyKey | None, write: Callable[[Tx], Accepted]) -> Accepted:
    for _ in range(DEADLOCK_RETRIES):
        with contextlib.suppress(DeadlockVictim):
            return _once(intake, key, write)
    return _once(intake, key, write)


def _once(intake: Intake, key: IdempotencyKey | None, write: Callable[[Tx], Accepted]) -> Accepted:
    with intake.database.transaction() as tx:
        before = recall(tx, key)
        if before is not None and before.job is not None:
            row = jobs.get(tx, before.job)
            return Accepted(before.job, row["deployment"], row["execution"], replayed=True)
        accepted = write(tx)
        remember(tx, key, accepted.job, 202)
        return accepted


def new_job(intake: Intake, request: JobRequest, app: str, actor: str, **more: Any) -> NewJob:
    return NewJob(request, app, actor, intake.settings.job_patience, **more)


def found_app(intake: Intake, tx: Tx, name: str) -> tuple[registry.FoundApp, Row]:
    """Finds an app by its row and its directory, for a request that reads its infraspec, and locks the row."""
    return _enrolled(tx, registry.find(tx, intake.settings.apps_dir, name))


def registered_app(intake: Intake, tx: Tx, name: str) -> tuple[registry.FoundApp, Row]:
    """Finds an app for a request that does not need its directory, and locks the app's row.

    If the app has a row, problems of its directory (broken, duplicate, or of another role) are ignored. They only
    prevent forge and deploy.
    """
    return _enrolled(tx, registry.find(tx, intake.settings.apps_dir, name, registered_only=True))


def _enrolled(tx: Tx, found: registry.FoundApp) -> tuple[registry.FoundApp, Row]:
    origin = found.origin if found.from_directory else None
    return found, enrolment.enrol(tx, found.spec, origin)


def require_role(found: registry.FoundApp, roles: tuple[Role, ...], verb: str) -> None:
    if found.spec.role not in roles:
        raise WrongRole(f"{found.name} is a {found.spec.role}: {verb}", hint=f"norn status {found.name}")


def refuse_without_workers(intake: Intake, job_class: JobClass) -> None:
    """Raises Unavailable or EngineDown if no worker could serve a client that waits for the result."""
    if intake.waker.broken or not intake.live.answers():
        raise Unavailable("the broker does not take messages right now", hint="norn health", retry_after=5)
    with intake.database.transaction() as tx:
        workers.require(tx, job_class, WORKER_SILENCE)
