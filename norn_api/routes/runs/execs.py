"""Programs with a connected client: starting one in a live replica, and its input and output while it runs.

The same addresses carry the output and the input of an attached `norn run`.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterator

from flask import Response

from norn_api.schemas.common import AppPath, WorkAccepted
from norn_api.schemas.jobs import JobPath
from norn_api.schemas.oneoffs import ExecRequest, TypedRequest, argv_of
from norn_api.services import actor, hide_from_others, holder, norn
from norn_api.web.openapi import noun, responses_of, text_response
from norn_api.web.replies import accepted, key, nothing
from norn_api.web.streams import HEARTBEAT_SECONDS, Source, source, streamed
from norn_tasks import dispatch
from norn_tasks.dispatch import Intake
from norn_tasks.domain.errors import Conflict, DatabaseDown, Forbidden, InvalidRequest, NotFound
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests import ExecJobRequest, RunJobRequest
from norn_tasks.store.queue import jobs_read
from norn_tasks.store.queue.jobs_read import JobView

api = noun("execs", "Programs in a live replica")


@api.post("/api/apps/<app>/exec", responses=responses_of(WorkAccepted, 202))
def run_in_replica(path: AppPath, body: ExecRequest) -> Response:
    """Runs a program inside a live replica; it is stopped when its output is no longer read."""
    request = ExecJobRequest(argv_of(body.command), body.replica, body.tty, body.term, body.size)
    work = dispatch.request_exec(
        norn().intake, path.app, request=request, actor=actor().name, key=key(), holder=holder()
    )
    return accepted(work, path.app, JobKind.EXEC)


@api.get("/api/execs/<id:job>/output", responses=text_response("Chunks of output", "application/x-ndjson"))
def read_output(path: JobPath) -> Response:
    """Streams the program's output as JSON lines; the last line has its exit code, or the error."""
    _own(path.job)
    here = source()
    return streamed(_pieces(here, norn().intake, path.job), "application/x-ndjson", here.connection)


@api.post("/api/execs/<id:job>/input", responses=responses_of(None, 204))
def send_input(path: JobPath, body: TypedRequest) -> Response:
    """Sends the program the user's input, the end of the input, or a new size of the terminal."""
    if _own(path.job).ended:
        raise Conflict(f"the program of job {path.job} has ended", hint="norn exec runs another one")
    try:
        base64.b64decode(body.data, validate=True)
    except binascii.Error as error:
        raise InvalidRequest(f"data: it is not base64: {error}", hint="encode the bytes") from error
    dispatch.type_into(norn().intake, path.job, body.model_dump())
    return nothing()


def _own(job: int) -> JobView:
    """Returns the job of a program that the sender started; raises NotFound or Forbidden."""
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, job)
    hide_from_others(found.app, jobs_read.absent(job))
    if not _has_client(found):
        raise NotFound(f"job {job} runs no program that a client is connected to", hint="norn jobs --kind exec")
    if found.actor != actor().name:
        raise Forbidden(f"job {job} was requested by somebody else", hint="norn exec runs one of your own")
    return found


def _has_client(job: JobView) -> bool:
    if job.kind == JobKind.RUN:
        return RunJobRequest.from_json(job.args).client is not None
    return job.kind == JobKind.EXEC


def _pieces(here: Source, intake: Intake, job: int) -> Iterator[str]:
    try:
        yield "\n"
        heard = time.monotonic()
        while here.open:
            piece = dispatch.written_by(intake, job, 1.0)
            if piece is None and (problem := _trouble(here, job)):
                # The last chunk of output may have arrived between the two reads.
                piece = dispatch.written_by(intake, job, 0.1) or {"problem": problem}
            if piece is not None or time.monotonic() - heard >= HEARTBEAT_SECONDS:
                heard = time.monotonic()
                yield "\n" if piece is None else json.dumps(piece) + "\n"
            if piece is not None and ("exit" in piece or "problem" in piece):
                return
    finally:
        dispatch.reader_left(intake, job)


def _trouble(here: Source, job: int) -> dict[str, str] | None:
    """Returns the error of a job that has ended, or its state if it has none; None if it may still run."""
    try:
        with here.database.transaction() as tx:
            found = jobs_read.get(tx, job)
    except DatabaseDown:
        return None
    if not found.ended:
        return None
    return found.error or {"code": found.state, "sentence": f"it ended {found.state}", "hint": ""}
