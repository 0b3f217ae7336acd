"""Jobs: reading accepted work, its progress and its output, cancelling it, and resolving it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import Response, request

from norn_api.schemas.common import ListOf, WorkAccepted
from norn_api.schemas.jobs import (
    JobPath,
    JobResponse,
    JobsQuery,
    LogQuery,
    NothingRequest,
    ResolveRequest,
    StepResponse,
)
from norn_api.services import actor, hide_from_others, norn, require_visible
from norn_api.web.openapi import noun, responses_of, text_response
from norn_api.web.replies import accepted, key, listed, reply
from norn_api.web.streams import NDJSON, EventFilter, follow_events, grow, source, streamed
from norn_tasks.dispatch import request_cancel, request_resolve
from norn_tasks.domain.access import Scope
from norn_tasks.domain.errors import Forbidden
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.events.stream import Cursor
from norn_tasks.store.queue import jobs_read, step_logs
from norn_tasks.store.queue.jobs_read import JobView, StepView

TEXT = "text/plain; charset=utf-8"
Shape = Callable[[Any], str]
api = noun("jobs", "Jobs: accepted work, its steps and their output")


@api.get("/api/jobs", responses=responses_of(ListOf[JobResponse]))
def list_jobs(query: JobsQuery) -> Response:
    """Lists jobs without their steps, newest first."""
    app = None if query.app is None else require_visible(query.app)
    wanted = jobs_read.JobFilter(app, query.kind, query.state, query.job_class, actor().apps)
    with norn().database.transaction() as tx:
        page = jobs_read.listed(tx, wanted, Cut(query.limit, query.after))
    return listed(JobResponse, page)


@api.get("/api/jobs/<id:job>", responses=responses_of(JobResponse))
def get_job(path: JobPath) -> Response:
    """Returns a job with its steps."""
    found, steps = _with_steps(path.job)
    may_see(found, Scope.READ)
    return reply(_answer(found, steps))


def _with_steps(job: int) -> tuple[JobView, tuple[StepView, ...]]:
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, job)
        return found, jobs_read.steps(tx, found)


def _answer(found: JobView, steps: tuple[StepView, ...]) -> JobResponse:
    shown = JobResponse.model_validate(found)
    return shown.model_copy(update={"steps": [StepResponse.model_validate(step) for step in steps]})


def may_see(job: JobView, scope: Scope) -> None:
    """Raises NotFound if the sender's token has no access to the job's app, and Forbidden if somebody else requested
    the job and the sender lacks the scope.
    """
    hide_from_others(job.app, jobs_read.absent(job.id))
    if not actor().may(scope) and job.actor != actor().name:
        hint = f"ask an admin for one that may: norn token create NAME --scope {scope}"
        raise Forbidden(f"job {job.id} was requested by somebody else", hint=hint)


@api.post("/api/jobs/<id:job>/cancel", responses=responses_of(JobResponse, 202))
def cancel_job(path: JobPath, body: NothingRequest) -> Response:
    """Cancels a waiting job, and asks a running one to stop; a job that has ended stays as it is."""
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, path.job)
    may_see(found, Scope.DEPLOY)
    request_cancel(norn().intake, path.job, actor=actor().name)
    return reply(_answer(*_with_steps(path.job)), 202)


@api.post("/api/jobs/<id:job>/resolve", responses=responses_of(WorkAccepted, 202))
def resolve_job(path: JobPath, body: ResolveRequest) -> Response:
    """Resolves a job that stopped inside a step which must not be repeated: another job continues it, or none does.

    The response names the job that continues the stopped one, or the stopped job itself if it is abandoned.
    """
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, path.job)
    may_see(found, Scope.DEPLOY)
    work = request_resolve(norn().intake, path.job, body.resolution, actor=actor().name, key=key())
    return accepted(work, found.app, JobKind(found.kind))


@api.get("/api/jobs/<id:job>/events", responses=text_response("Server-sent events", "text/event-stream"))
def follow_job(path: JobPath) -> Response:
    """Streams a job's events from the first one, or after Last-Event-ID, until the job has ended."""
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, path.job)
    may_see(found, Scope.READ)
    last = request.headers.get("Last-Event-ID")
    here = source()
    wanted = EventFilter(job=path.job, last=EventKind.JOB_ENDED)
    events = follow_events(here, wanted, Cursor.parse(last) if last else Cursor())
    return streamed(events, "text/event-stream; charset=utf-8", here.connection)


@api.get("/api/jobs/<id:job>/logs", responses=text_response("The output of the steps"))
def get_job_logs(path: JobPath, query: LogQuery) -> Response:
    """Returns the output of a job's steps as text, or (Accept: application/x-ndjson) as JSON lines.

    With `follow` the response continues until the job has ended.
    """
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, path.job)
    may_see(found, Scope.READ)
    lines = NDJSON in request.headers.get("Accept", "")
    read = _reader(path.job, query, _json_line if lines else _plain)
    here = source()
    kind = NDJSON if lines else TEXT
    return streamed(grow(here, path.job, read, kind), kind, here.connection)


def _reader(job: int, query: LogQuery, shape: Shape) -> Callable[[], tuple[list[str], bool]]:
    """Returns a function that continues where its last call stopped reading. It returns the new pieces of text, and
    True if no more will follow.
    """
    database, place = norn().database, [(0, -1)]
    above = query.after if query.step is not None else -1

    def read() -> tuple[list[str], bool]:
        with database.transaction() as tx:
            ended = jobs_read.get(tx, job).ended
            pieces = step_logs.read(tx, job, query.step, place[0], above)
        if pieces:
            place[0] = (pieces[-1]["n"], pieces[-1]["seq"])
        return [shape(piece) for piece in pieces], not pieces and (ended or not query.follow)

    return read


def _plain(piece: Any) -> str:
    return str(piece["chunk"])


def _json_line(piece: Any) -> str:
    at = piece["at"].isoformat().replace("+00:00", "Z")
    line = {"step": piece["step"], "seq": piece["seq"], "at": at, "stream": piece["stream"], "text": piece["chunk"]}
    return json.dumps(line, ensure_ascii=False) + "\n"
