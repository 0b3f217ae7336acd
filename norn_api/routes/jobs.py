"""Jobs: what was accepted, how far it is, what it printed; and cancelling."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import Response, request

from norn_api.openapi import answers, noun, text_answer
from norn_api.permissions import WHOLE_SERVER
from norn_api.replies import listed, reply
from norn_api.schemas.common import ListOf
from norn_api.schemas.jobs import JobAnswer, JobPath, JobsQuery, LogQuery, NothingAsked, StepAnswer
from norn_api.services import actor, norn, reach
from norn_api.streams import Wanted, follow_events, grow, source, streamed
from norn_tasks.dispatch import request_cancel
from norn_tasks.domain.access import Scope
from norn_tasks.domain.errors import Forbidden
from norn_tasks.domain.event import EventKind
from norn_tasks.store import jobs_read, step_logs
from norn_tasks.store.events import Place
from norn_tasks.store.jobs_read import SeenJob, Step
from norn_tasks.store.reading import Cut

NDJSON = "application/x-ndjson"
TEXT = "text/plain; charset=utf-8"
Shape = Callable[[Any], str]
api = noun("jobs", "Jobs: accepted work, its steps and their output")


@api.get("/api/jobs", responses=answers(ListOf[JobAnswer]))
def list_jobs(query: JobsQuery) -> Response:
    """Lists jobs without their steps, newest first."""
    app = None if query.app is None else reach(query.app)
    wanted = jobs_read.Wanted(app, query.kind, query.state, query.job_class, actor().apps)
    with norn().database.transaction() as tx:
        page = jobs_read.listed(tx, wanted, Cut(query.limit, query.after))
    return listed(JobAnswer, page)


@api.get("/api/jobs/<id:job>", responses=answers(JobAnswer))
def get_job(path: JobPath) -> Response:
    """Tells how far a job is, step by step."""
    found, steps = _with_steps(path.job)
    may_see(found, Scope.READ)
    return reply(_answer(found, steps))


def _with_steps(job: int) -> tuple[SeenJob, tuple[Step, ...]]:
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, job)
        return found, jobs_read.steps(tx, found)


def _answer(found: SeenJob, steps: tuple[Step, ...]) -> JobAnswer:
    told = JobAnswer.model_validate(found)
    return told.model_copy(update={"steps": [StepAnswer.model_validate(step) for step in steps]})


def may_see(job: SeenJob, scope: Scope) -> None:
    """Raises Forbidden for another app's job, and without the scope for what somebody else asked for.

    A job of no app is the server's own: a token that is limited to apps does not reach it.
    """
    if job.app:
        reach(job.app)
    elif actor().apps is not None:
        raise Forbidden(f"job {job.id} is of no app, and your token is limited to apps", hint=WHOLE_SERVER)
    if not actor().may(scope) and job.actor != actor().name:
        hint = f"ask an admin for one that may: norn token create NAME --scope {scope}"
        raise Forbidden(f"job {job.id} was asked for by somebody else", hint=hint)


@api.post("/api/jobs/<id:job>/cancel", responses=answers(JobAnswer, 202))
def cancel_job(path: JobPath, body: NothingAsked) -> Response:
    """Cancels a job that waits, and asks one that runs to stop; one that has ended stays as it is."""
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, path.job)
    may_see(found, Scope.DEPLOY)
    request_cancel(norn().intake, path.job, actor=actor().name)
    return reply(_answer(*_with_steps(path.job)), 202)


@api.get("/api/jobs/<id:job>/events", responses=text_answer("Server-sent events", "text/event-stream"))
def follow_job(path: JobPath) -> Response:
    """Streams a job's events from its first one, or behind Last-Event-ID, until it has ended."""
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, path.job)
    may_see(found, Scope.READ)
    last = request.headers.get("Last-Event-ID")
    here = source()
    wanted = Wanted(job=path.job, last=EventKind.JOB_ENDED)
    events = follow_events(here, wanted, Place.parse(last) if last else Place())
    return streamed(events, "text/event-stream; charset=utf-8", here.connection)


@api.get("/api/jobs/<id:job>/logs", responses=text_answer("What the steps printed"))
def get_job_logs(path: JobPath, query: LogQuery) -> Response:
    """Answers what a job's steps printed, as text or (Accept: application/x-ndjson) as JSON lines.

    With `follow` it goes on until the job has ended.
    """
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, path.job)
    may_see(found, Scope.READ)
    lines = NDJSON in request.headers.get("Accept", "")
    read = _reader(path.job, query, _json_line if lines else _plain)
    here = source()
    return streamed(grow(here, path.job, read), NDJSON if lines else TEXT, here.connection)


def _reader(job: int, query: LogQuery, shape: Shape) -> Callable[[], tuple[list[str], bool]]:
    """Answers what reads on from where it was: new text, and whether nothing more will come."""
    database, place = norn().database, [(0, -1)]

    def read() -> tuple[list[str], bool]:
        with database.transaction() as tx:
            ended = jobs_read.get(tx, job).ended
            pieces = step_logs.read(tx, job, query.step, place[0])
        if pieces:
            place[0] = (pieces[-1]["n"], pieces[-1]["seq"])
        return [shape(piece) for piece in pieces], not pieces and (ended or not query.follow)

    return read


def _plain(piece: Any) -> str:
    return str(piece["chunk"])


def _json_line(piece: Any) -> str:
    at = piece["at"].isoformat().replace("+00:00", "Z")
    told = {"step": piece["step"], "seq": piece["seq"], "at": at, "stream": piece["stream"], "text": piece["chunk"]}
    return json.dumps(told, ensure_ascii=False) + "\n"
