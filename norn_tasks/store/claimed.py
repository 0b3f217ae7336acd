"""From a claimed row to the Job that its worker runs: the frozen spec, the facts so far, its execution and its call."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update

from norn_tasks.domain.app_status import ForgeState
from norn_tasks.domain.call import Call
from norn_tasks.domain.errors import NornError
from norn_tasks.domain.event import EventKind
from norn_tasks.domain.infraspec import from_json
from norn_tasks.domain.job import Fence, Job, JobKind, JobState, Problem
from norn_tasks.store import memory, secrets
from norn_tasks.store.claims import Claimer, claim
from norn_tasks.store.endings import end
from norn_tasks.store.facts import tell
from norn_tasks.store.returns import RETURN_TO
from norn_tasks.store.session import Database, Row, Tx
from norn_tasks.store.tables import App, CronExecution, ExecutionIO, FuncExecution, OneOff, Release


def take(database: Database, claimer: Claimer) -> Job | None:
    """Claims the next job of the claimer's class, in a transaction of its own; None when none is ready and fits."""
    try:
        return _take(database, claimer)
    except _NoRoom:
        # Another claim was quicker: this one is as if it had never been, and the sweeper wakes somebody again.
        return None


class _NoRoom(Exception):
    """The memory that a claim counted on is held by another job."""


def _take(database: Database, claimer: Claimer) -> Job | None:
    with database.transaction() as tx:
        while (row := claim(tx, claimer)) is not None:
            job = _begun(tx, row, claimer)
            if job is not None:
                return job
        return None


def _begun(tx: Tx, row: Row, claimer: Claimer) -> Job | None:
    """Makes the claimed row a job; None when that was its end: it was overtaken, or says what nobody can run."""
    if _overtaken(tx, row):
        end(tx, row, JobState.SUPERSEDED, Problem("superseded", "another release went live before it"))
        return None
    try:
        job = _job(tx, row)
    except NornError as error:
        end(tx, row, JobState.ERROR, Problem(error.code, error.sentence, error.hint))
        return None
    if not memory.hold(tx, row, claimer.engine):
        raise _NoRoom
    if not job.kind.takes_slot:
        tell(tx, EventKind.JOB_CLAIMED, app=row["app"], job=row["id"], worker=claimer.worker, claims=row["claims"])
    _mark_forge(tx, row)
    return job


def _overtaken(tx: Tx, row: Row) -> bool:
    """True for a return whose release is not the live one any more: it would undo what came after it."""
    if RETURN_TO not in row["args"]:
        return False
    live = tx.scalar(select(App.live_deployment).where(App.name == row["app"]))
    return live is None or live != row["args"][RETURN_TO]


def _mark_forge(tx: Tx, row: Row) -> None:
    states = {JobKind.FORGE: ForgeState.FORGING, JobKind.TEARDOWN: ForgeState.TEARING_DOWN}
    state = states.get(JobKind(row["kind"]))
    if state is not None:
        tx.execute(update(App).where(App.name == row["app"]).values(forge_state=str(state), forge_error=None))


def _job(tx: Tx, row: Row) -> Job:
    kind = JobKind(row["kind"])
    return Job(
        id=row["id"],
        kind=kind,
        app=row["app"],
        spec=from_json(row["spec"]) if row["spec"] is not None else None,
        fence=Fence(row["id"], row["lease_token"]),
        args=row["args"],
        facts=row["facts"],
        claims=row["claims"],
        runs=row["runs"],
        max_runs=row["max_runs"],
        begun=row["begun_at"] is not None,
        adopt=row["adopt"],
        sync=row["sync"],
        release=row["release"],
        deployment=row["deployment"],
        execution=row["execution"],
        engine=row["engine"],
        container=row["container"],
        deadline=row["deadline"],
        remaining=row["remaining"],
        actor=row["actor"],
        sealed=secrets.sealed_of(tx, row["app"]) if row["app"] else (),
        **_image(tx, row),
        **_execution(tx, kind, row["execution"]),
    )


def _image(tx: Tx, row: Row) -> dict[str, Any]:
    """Answers where the image of a change's release is published; a run's comes with its execution."""
    if row["release"] is None or row["kind"] in (JobKind.INVOKE, JobKind.CRON_RUN):
        return {}
    release = select(Release.published).where(Release.app == row["app"], Release.n == row["release"])
    return {"published": tx.scalar(release)}


def _execution(tx: Tx, kind: JobKind, execution: int | None) -> dict[str, Any]:
    if kind is JobKind.CRON_RUN:
        moment = func.coalesce(CronExecution.scheduled_for, CronExecution.created_at).label("scheduled_for")
        x = CronExecution
        found = tx.execute(
            select(x.image_id, moment, Release.published)
            .outerjoin(Release, (Release.app == x.app) & (Release.n == x.release))
            .where(x.id == execution)
        )
        return dict(found.mappings().one())
    if kind is JobKind.RUN:
        return {"image_id": tx.scalar(select(OneOff.image_id).where(OneOff.id == execution))}
    if kind is not JobKind.INVOKE:
        return {}
    f = FuncExecution
    row = tx.execute(
        select(f, ExecutionIO.request, Release.published)
        .join(ExecutionIO, ExecutionIO.execution == f.id)
        .outerjoin(Release, (Release.app == f.app) & (Release.n == f.release))
        .where(f.id == execution)
    ).one()
    call = Call(row.method, row.path, row.query, row.headers, row.content_type, row.request or b"")
    return {"image_id": row.image_id, "call": call, "published": row.published}
