"""Claims a job and returns everything that its worker needs: its request, stored infraspec, facts and execution."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import func, select, update

from norn_tasks.domain.errors import NornError
from norn_tasks.domain.infraspec import Infraspec, RuntimeName, from_json
from norn_tasks.domain.jobs.app_status import ForgeState
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.claimed import ExecutionRequest, Job, LiveRelease
from norn_tasks.domain.jobs.container import ContainerRef
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.facts import Facts
from norn_tasks.domain.jobs.job import OPEN, Fence, JobKind, JobState, Problem
from norn_tasks.domain.jobs.requests import RollbackJobRequest
from norn_tasks.domain.jobs.requests import read as read_request
from norn_tasks.domain.pushes.push import ACTOR
from norn_tasks.domain.secret import Sealed
from norn_tasks.store.apps import secrets
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import Database, Row, Tx
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.fleet import memory
from norn_tasks.store.ledger.claims_together import Admit, claim_together
from norn_tasks.store.queue.claims import Claimer, claim
from norn_tasks.store.queue.endings import end
from norn_tasks.store.releases import forging, releases
from norn_tasks.store.tables import AppRow, CronExecutionRow, JobRow, OneOffRow, ReleaseRow


def take(database: Database, claimer: Claimer, admit: Callable[[Row], None] = lambda _: None) -> Job | None:
    """Claims the next job of the claimer's class, in a transaction of its own; None if no ready job fits.

    `admit` gets the claimed row before the commit; an error that it raises undoes the claim.
    """
    try:
        return _take(database, claimer, admit)
    except _NoRoom:
        # Another claim has reserved the memory first. So this claim is rolled back, and the sweeper wakes a worker
        # again.
        return None


@dataclass(frozen=True)
class Taken:
    """The jobs that several threads of a worker get at once. `due`: False if no job of the class was due at all."""

    jobs: tuple[Job, ...] = ()
    due: bool = True


def take_together(database: Database, claimer: Claimer, count: int, admit: Admit) -> Taken:
    """Claims at most `count` runs, in one transaction.

    `admit` counts each job in its share before the commit. The caller undoes the count of each job that is not
    returned, and after an error the counts of all jobs.
    """
    try:
        with database.transaction() as tx:
            found = claim_together(tx, claimer, count, admit)
            known = _Known(tx, found.rows)
            begun = [(row, job) for row in found.rows if (job := _begun_run(tx, row, known)) is not None]
            if not memory.hold_together(tx, [row for row, _ in begun], claimer.engine):
                raise _NoRoom
            return Taken(tuple(job for _, job in begun), found.due)
    except _NoRoom:
        return Taken()


class _Known:
    """The facts that several claimed runs need, each read once: the calls of the runs, and the secrets of the apps."""

    def __init__(self, tx: Tx, rows: Sequence[Row]) -> None:
        calls = [row["execution"] for row in rows if row["kind"] == JobKind.INVOKE]
        self.calls = {call["id"]: call for call in run(tx, _CALLS, {"execution": calls}).mappings()} if calls else {}
        self.sealed = {app: secrets.sealed_of(tx, app) for app in {row["app"] for row in rows}}


def _begun_run(tx: Tx, row: Row, known: _Known) -> Job | None:
    """Returns the run of the claimed row; ends it and returns None when it cannot be read."""
    try:
        return _job(tx, row, known)
    except NornError as error:
        end(tx, row, JobState.ERROR, Problem(error.code, error.sentence, error.hint))
        return None


class _NoRoom(Exception):
    """Raised when another job has reserved the memory that a claim counted on."""


def _take(database: Database, claimer: Claimer, admit: Callable[[Row], None]) -> Job | None:
    with database.transaction() as tx:
        while (row := claim(tx, claimer)) is not None:
            job = _begun(tx, row, claimer)
            if job is not None:
                admit(row)
                return job
        return None


def _begun(tx: Tx, row: Row, claimer: Claimer) -> Job | None:
    """Returns the job of the claimed row; if it is outdated or cannot be read, ends it and returns None. Raises _NoRoom
    if its memory is no longer free.
    """
    try:
        row = forging.begun(tx, row)
        job = _job(tx, row)
    except NornError as error:
        end(tx, row, JobState.ERROR, Problem(error.code, error.sentence, error.hint))
        return None
    if _out_of_date(tx, job):
        end(tx, row, JobState.SUPERSEDED, Problem("superseded", "another release went live before it"))
        return None
    if not memory.hold(tx, row, claimer.engine):
        raise _NoRoom
    if not job.kind.takes_slot:
        publish(tx, EventKind.JOB_CLAIMED, app=row["app"], job=row["id"], worker=claimer.worker, claims=row["claims"])
    _mark_forge(tx, row)
    return job


def _out_of_date(tx: Tx, job: Job) -> bool:
    """Returns True for a return to a release that is no longer the live one, because it would undo a later change."""
    if not isinstance(job.request, RollbackJobRequest) or job.request.return_to is None:
        return False
    live = tx.scalar(select(AppRow.live_deployment).where(AppRow.name == job.app))
    return live is None or live != job.request.return_to


def _mark_forge(tx: Tx, row: Row) -> None:
    states = {JobKind.FORGE: ForgeState.FORGING, JobKind.TEARDOWN: ForgeState.TEARING_DOWN}
    state = states.get(JobKind(row["kind"]))
    if state is not None:
        tx.execute(update(AppRow).where(AppRow.name == row["app"]).values(forge_state=str(state), forge_error=None))


def _job(tx: Tx, row: Row, known: _Known | None = None) -> Job:
    kind = JobKind(row["kind"])
    call = known.calls.get(row["execution"]) if known is not None else None
    execution, published = _call_of(row, call) if call is not None else _EXECUTIONS.get(kind, _no_execution)(tx, row)
    spec = _spec(json.dumps(row["spec"])) if row["spec"] is not None else None
    return Job(
        id=row["id"],
        request=read_request(kind, row["args"]),
        app=row["app"],
        spec=spec,
        fence=Fence(row["id"], row["lease_token"]),
        facts=Facts.from_json(row["facts"]),
        claims=row["claims"],
        release=row["release"],
        deployment=row["deployment"],
        execution=execution,
        cluster=row["cluster"],
        container=_container(row, spec.runtime if spec is not None else RuntimeName.DOCKER),
        published=published,
        sealed=_sealed(tx, row, known),
        live=_live(tx, row) if _compares(tx, row, kind) else None,
    )


@lru_cache(256)
def _spec(written: str) -> Infraspec:
    """Returns the spec that was written as JSON. Runs of a release have the same spec, which is validated once."""
    return from_json(json.loads(written))


def _sealed(tx: Tx, row: Row, known: _Known | None) -> tuple[Sealed, ...]:
    if known is not None and row["app"] in known.sealed:
        return known.sealed[row["app"]]
    return secrets.sealed_of(tx, row["app"]) if row["app"] else ()


def _container(row: Row, runtime: RuntimeName) -> ContainerRef | None:
    """Returns the container that an earlier worker recorded.

    Workers of an older version recorded only the id: then the runtime is taken from the spec, and the engine from the
    job's pin.
    """
    if row["container"] is None:
        return None
    return ContainerRef(
        row["container_runtime"] or str(runtime), row["container_engine"] or row["engine"] or "", row["container"]
    )


def _compares(tx: Tx, row: Row, kind: JobKind) -> bool:
    """Returns True if a job compares something with the live release.

    A push compares nothing while the deploy of an earlier push has not ended, because that deploy runs after this job
    and replaces the live release.
    """
    if kind is not JobKind.PUSH:
        return kind is JobKind.FORGE
    j = JobRow
    waiting = select(j.id).where(
        j.app == row["app"], j.kind == str(JobKind.DEPLOY), j.actor == ACTOR, j.state.in_(OPEN)
    )
    return tx.scalar(waiting.limit(1)) is None


def _live(tx: Tx, row: Row) -> LiveRelease | None:
    live = releases.live(tx, row["app"])
    if live is None:
        return None
    spec = from_json(live["spec"])
    return LiveRelease(live["n"], live["generation"], live["image_id"], spec, live["published"], live["revision"])


Found = tuple[ExecutionRequest | None, str | None]
"""The execution of a job, and the image of its release in the registry."""


def _no_execution(tx: Tx, row: Row) -> Found:
    return None, _published(tx, row)


def _published(tx: Tx, row: Row) -> str | None:
    if row["release"] is None:
        return None
    release = select(ReleaseRow.published).where(ReleaseRow.app == row["app"], ReleaseRow.n == row["release"])
    published: str | None = tx.scalar(release)
    return published


def _oneoff(tx: Tx, row: Row) -> Found:
    image = tx.scalar(select(OneOffRow.image_id).where(OneOffRow.id == row["execution"]))
    return _execution(row, image), _published(tx, row)


def _cron_run(tx: Tx, row: Row) -> Found:
    x = CronExecutionRow
    found = tx.execute(
        select(x.image_id, func.coalesce(x.scheduled_for, x.created_at).label("moment"), ReleaseRow.published)
        .outerjoin(ReleaseRow, (ReleaseRow.app == x.app) & (ReleaseRow.n == x.release))
        .where(x.id == row["execution"])
    ).one()
    return _execution(row, found.image_id, scheduled_for=found.moment), found.published


def _call(tx: Tx, row: Row) -> Found:
    return _call_of(row, run(tx, _CALLS, {"execution": [row["execution"]]}).mappings().one())


def _call_of(row: Row, found: Row) -> Found:
    body = b"" if found["request"] is None else bytes(found["request"])
    call = Call(
        found["method"], found["path"], found["query"], found["headers"], found["content_type"], body
    )  # fmt: skip
    return _execution(row, found["image_id"], call=call), found["published"]


_CALLS = Prepared("""
SELECT f.id, f.method, f.path, f.query, f.headers, f.content_type, f.image_id, io.request, r.published
  FROM func_executions f JOIN execution_io io ON io.execution = f.id
  LEFT JOIN releases r ON r.app = f.app AND r.n = f.release
 WHERE f.id = ANY(CAST(:execution AS bigint[]))""")


def _execution(
    row: Row, image_id: str | None, *, call: Call | None = None, scheduled_for: datetime | None = None
) -> ExecutionRequest:
    return ExecutionRequest(
        id=row["execution"],
        image_id=image_id,
        call=call,
        scheduled_for=scheduled_for,
        sync=row["sync"],
        deadline=row["deadline"],
        remaining=row["remaining"],
        runs=row["runs"],
        max_runs=row["max_runs"],
        adopt=row["adopt"],
    )


_EXECUTIONS: dict[JobKind, Callable[[Tx, Row], Found]] = {
    JobKind.INVOKE: _call,
    JobKind.CRON_RUN: _cron_run,
    JobKind.RUN: _oneoff,
}
