"""Looks at the world: the logs of an app, engine and cluster."""

from __future__ import annotations

from norn_tasks.dispatch.intake import LONG_RUNNING, Accepted, Intake, accept, refuse_without_workers
from norn_tasks.domain.errors import NotFound, TooManyRequests
from norn_tasks.domain.job import JobClass, JobKind
from norn_tasks.domain.placing import HOME
from norn_tasks.store import apps, engines, jobs, workers
from norn_tasks.store.jobs import NewJob
from norn_tasks.store.session import Tx


def request_logs(intake: Intake, app: str, *, tail: int, follow: bool, actor: str) -> Accepted:
    """Asks a worker to read the app's live logs into the job's live stream; refused at once when none can."""
    with intake.database.transaction() as tx:
        if apps.role_of(tx, app) not in LONG_RUNNING:
            raise NotFound(f"{app} has no running containers to read from", hint=f"norn status {app}")
    refuse_without_workers(intake, JobClass.OBSERVE)

    def write(tx: Tx) -> Accepted:
        leave_room(tx)
        args = {"tail": tail, "follow": follow}
        return Accepted(jobs.accept(tx, NewJob(JobKind.READ_LOGS, app, actor, patience=30.0, args=args, engine=HOME)))

    return accept(intake, JobClass.OBSERVE, None, write)


def leave_room(tx: Tx) -> None:
    """Raises TooManyRequests when those who read logs or run programs would leave no place for a look."""
    places = workers.slots(tx).get(JobClass.OBSERVE, 0)
    if jobs.open_of_kinds(tx, (JobKind.READ_LOGS, JobKind.EXEC)) >= max(1, places - 1):
        raise TooManyRequests(
            f"{max(1, places - 1)} readers of logs and programs are all that the observe workers take",
            hint="try again in a moment, or raise NORN_WORKERS_OBSERVE", retry_after=5,
        )  # fmt: skip


def request_look(intake: Intake, *, actor: str) -> Accepted:
    """Asks for a look at cluster and home engine; joins one that waits or runs already."""
    return accept(intake, JobClass.OBSERVE, None, lambda tx: _look(tx, HOME, actor))


def request_looks_elsewhere(intake: Intake, *, actor: str) -> tuple[Accepted, ...]:
    """Asks for a look at each other engine: what was left behind there."""
    with intake.database.transaction() as tx:
        places = engines.others(tx)
    return tuple(
        accept(intake, JobClass.OBSERVE, None, lambda tx, place=place: _look(tx, place, actor))  # type: ignore[misc]
        for place in places
    )


def _look(tx: Tx, place: str, actor: str) -> Accepted:
    key = f"look:{place}"
    joined = jobs.coalesced(tx, JobKind.OBSERVE, "", key)
    if joined is not None:
        return Accepted(joined)
    args = {"home": place == HOME}
    new = NewJob(JobKind.OBSERVE, "", actor, patience=60.0, dedupe_key=key, engine=place, args=args)
    return Accepted(jobs.accept(tx, new))
