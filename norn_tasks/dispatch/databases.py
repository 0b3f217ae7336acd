"""Requests about the databases of apps: snapshots, backups, restores, drills (test restores), and measurements of their
sizes.
"""

from __future__ import annotations

from contextlib import suppress

from norn_tasks.dispatch.intake import Accepted, Intake, accept, new_job, registered_app
from norn_tasks.domain.errors import Conflict, NornError
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.requests import (
    DrillJobRequest,
    JobRequest,
    ObserveJobRequest,
    RestoreJobRequest,
    SnapshotJobRequest,
)
from norn_tasks.domain.services import GrantedPart, ServiceKind
from norn_tasks.store.access.idempotency import IdempotencyKey
from norn_tasks.store.apps import services, snapshots
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import jobs
from norn_tasks.store.queue.jobs import NewJob
from norn_tasks.store.upkeep import backup_plans
from norn_tasks.store.upkeep.backup_plans import DueWork

_LOOK = "look:databases"
"""The dedupe key of measurements: a new request joins a job that is queued or running."""


def request_snapshot(
    intake: Intake, app: str, *, backup: bool = False, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Accepts a snapshot of the app's database, or a backup; raises Conflict for an app without a database."""
    return accept(intake, JobClass.DEPLOY, key, lambda tx: _snapshot(intake, tx, app, backup=backup, actor=actor))


def _snapshot(intake: Intake, tx: Tx, app: str, *, backup: bool, actor: str) -> Accepted:
    request = SnapshotJobRequest(backup or None)
    job = _of_app(intake, tx, app, request, f"backup:{app}" if backup else None, actor)
    if backup:
        backup_plans.requested(tx, app, "backup", job)
    return Accepted(job)


def request_drill(intake: Intake, app: str, *, actor: str, key: IdempotencyKey | None = None) -> Accepted:
    """Accepts a drill, that is a test restore of the newest backup of the app's database; raises Conflict if there is
    no backup.
    """

    def write(tx: Tx) -> Accepted:
        if snapshots.newest_backup(tx, app) is None:
            registered_app(intake, tx, app)
            raise Conflict(f"{app} has no backup that a drill could restore", hint=f"norn db backup {app}")
        return _drill(intake, tx, app, actor)

    return accept(intake, JobClass.DEPLOY, key, write)


def _drill(intake: Intake, tx: Tx, app: str, actor: str) -> Accepted:
    job = _of_app(intake, tx, app, DrillJobRequest(), f"drill:{app}", actor)
    backup_plans.requested(tx, app, "drill", job)
    return Accepted(job)


def request_restore(
    intake: Intake, app: str, *, snapshot: int, actor: str, key: IdempotencyKey | None = None
) -> Accepted:
    """Accepts a restore of a snapshot; the restore first takes a snapshot of the present database.

    The request is accepted even if a job of the app needs attention, because the restore may be the remedy. Raises
    NotFound, and Conflict for a snapshot that is not complete, or whose database the app no longer has.
    """

    def write(tx: Tx) -> Accepted:
        registered_app(intake, tx, app)
        wanted = snapshots.whole(tx, app, snapshot)
        if wanted.database not in {part.name for part in _databases_of(tx, app)}:
            raise Conflict(
                f"{app} no longer has the database {wanted.database} of snapshot {snapshot}",
                hint=f"norn db download {app} {snapshot} gets the file, which pg_restore reads",
            )
        return Accepted(_of_app(intake, tx, app, RestoreJobRequest(snapshot), None, actor))

    return accept(intake, JobClass.DEPLOY, key, write)


def _of_app(intake: Intake, tx: Tx, app: str, request: JobRequest, dedupe: str | None, actor: str) -> int:
    """Accepts a job about the app's database, or returns the job that has the same key and has not ended."""
    found, _ = registered_app(intake, tx, app)
    postgres = found.spec.services.postgres
    made = {part.name for part in _databases_of(tx, app)}
    if not made or (postgres is not None and postgres.database not in made):
        raise Conflict(f"Norn has made no database for {app}", hint="services.postgres of its infraspec asks for one")
    if postgres is None and not isinstance(request, RestoreJobRequest):
        raise Conflict(
            f"the infraspec of {app} no longer names its database", hint="name it in services.postgres.database again"
        )
    joined = jobs.coalesced(tx, request.kind, app, dedupe) if dedupe is not None else None
    if joined is not None:
        return joined
    return jobs.accept(tx, new_job(intake, request, app, actor, spec=found.spec.frozen(), dedupe_key=dedupe))


def _databases_of(tx: Tx, app: str) -> tuple[GrantedPart, ...]:
    return tuple(part for part in services.of_app(tx, app) if part.kind is ServiceKind.POSTGRES and part.made)


def request_due_backups(intake: Intake, *, actor: str) -> None:
    """Requests the backups and drills that are due."""
    with intake.database.transaction() as tx:
        found = backup_plans.due(tx)
    for due in found:
        with suppress(NornError):  # the app was removed in between, or the database is away; the next round tries again
            _request_due(intake, due, actor)


def _request_due(intake: Intake, due: DueWork, actor: str) -> None:
    with intake.database.transaction() as tx:
        if not backup_plans.take(tx, due):
            return
        if due.work == "backup":
            _snapshot(intake, tx, due.app, backup=True, actor=actor)
        else:
            _drill(intake, tx, due.app, actor)
    intake.waker.wake(JobClass.DEPLOY)


def request_database_look(intake: Intake, *, actor: str) -> Accepted | None:
    """Requests a measurement of the databases of apps; returns None if no app has a database."""
    with intake.database.transaction() as tx:
        if not services.databases(tx):
            return None

    def write(tx: Tx) -> Accepted:
        joined = jobs.coalesced(tx, JobKind.OBSERVE, "", _LOOK)
        if joined is not None:
            return Accepted(joined)
        request = ObserveJobRequest(databases=True)
        return Accepted(jobs.accept(tx, NewJob(request, "", actor, patience=60.0, dedupe_key=_LOOK)))

    return accept(intake, JobClass.OBSERVE, None, write)
