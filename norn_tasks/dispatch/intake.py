"""Accepting: one transaction, an idempotency key, and the wake-up after the commit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from norn_tasks.celery_app import Waker
from norn_tasks.domain.errors import GaveWay, Unavailable, WrongRole
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.job import JobClass, JobKind
from norn_tasks.settings import Settings
from norn_tasks.store import acceptance, apps, jobs, workers
from norn_tasks.store.idempotency import IdempotencyKey, recall, remember
from norn_tasks.store.jobs import NewJob
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database, Row, Tx

WORKER_SILENCE = 15.0
"""Seconds without any worker of a class after which a request that waits for its answer is refused at once."""

GIVES_WAY = 3
"""How often an acceptance that was rolled back for another's sake is tried again."""


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


def accept(
    intake: Intake, job_class: JobClass, key: IdempotencyKey | None, write: Callable[[Tx], Accepted]
) -> Accepted:
    """Runs the one transaction of an acceptance, again when it gave way to another, then wakes the class."""
    accepted = _written(intake, key, write)
    if not accepted.replayed:
        intake.waker.wake(job_class)
    return accepted


def _written(intake: Intake, key: IdempotencyKey | None, write: Callable[[Tx], Accepted]) -> Accepted:
    for _ in range(GIVES_WAY):
        with contextlib.suppress(GaveWay):
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


def new_job(intake: Intake, kind: JobKind, app: str, actor: str, **more: Any) -> NewJob:
    return NewJob(kind=kind, app=app, actor=actor, patience=intake.settings.job_patience, **more)


def found_app(intake: Intake, tx: Tx, name: str) -> tuple[apps.FoundApp, Row]:
    """Finds an app in rows and directories for what makes something new of it, and locks its row."""
    return _enrolled(tx, apps.find(tx, intake.settings.apps_dir, name))


def standing_app(intake: Intake, tx: Tx, name: str) -> tuple[apps.FoundApp, Row]:
    """Finds an app for what needs only its row and its live release, and locks its row.

    A directory that is broken, doubled or of another role by now is in the way of forge and deploy, not of this.
    """
    return _enrolled(tx, apps.find(tx, intake.settings.apps_dir, name, standing=True))


def _enrolled(tx: Tx, found: apps.FoundApp) -> tuple[apps.FoundApp, Row]:
    origin = found.origin if found.from_directory else None
    return found, acceptance.enrol(tx, found.name, found.spec.to_json(), origin)


def require_role(found: apps.FoundApp, roles: tuple[Role, ...], verb: str) -> None:
    if found.spec.role not in roles:
        raise WrongRole(f"{found.name} is a {found.spec.role}: {verb}", hint=f"norn status {found.name}")


def refuse_without_workers(intake: Intake, job_class: JobClass) -> None:
    """For who waits for the answer: raises Unavailable or EngineDown when nobody could give it now."""
    if intake.waker.broken or not intake.live.answers():
        raise Unavailable("the broker does not take messages right now", hint="norn health", retry_after=5)
    with intake.database.transaction() as tx:
        workers.require(tx, job_class, WORKER_SILENCE)


LONG_RUNNING = (Role.WEBSERVER, Role.WORKER)
