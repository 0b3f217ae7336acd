"""A program in a live replica: asking for one, and the pieces that go to and fro while it runs."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterator

from flask import Response

from norn_api.openapi import answers, noun, text_answer
from norn_api.replies import accepted, key, nothing
from norn_api.schemas.common import AppPath, WorkAccepted
from norn_api.schemas.jobs import JobPath
from norn_api.schemas.oneoffs import ExecAsked, TypedAsked, argv_of
from norn_api.services import actor, norn, reach
from norn_api.streams import HEARTBEAT_SECONDS, Source, source, streamed
from norn_tasks import dispatch
from norn_tasks.dispatch import Intake
from norn_tasks.domain.errors import Conflict, DatabaseDown, Forbidden, InvalidRequest, NotFound
from norn_tasks.domain.job import JobKind
from norn_tasks.store import jobs_read
from norn_tasks.store.jobs_read import SeenJob

api = noun("execs", "Programs in a replica that serves")


@api.post("/api/apps/<app>/exec", responses=answers(WorkAccepted, 202))
def run_in_replica(path: AppPath, body: ExecAsked) -> Response:
    """Runs a program inside a replica that serves, for who asks: it ends when its output is not read any more."""
    work = dispatch.request_exec(
        norn().intake, path.app, command=argv_of(body.command), actor=actor().name, key=key(),
        replica=body.replica, tty=body.tty, term=body.term, size=body.size,
    )  # fmt: skip
    return accepted(work, path.app, JobKind.EXEC)


@api.get("/api/execs/<id:job>/output", responses=text_answer("Pieces of output", "application/x-ndjson"))
def read_output(path: JobPath) -> Response:
    """Streams what the program writes, as JSON lines, until it has ended: its exit code, or what went wrong."""
    _own(path.job)
    here = source()
    return streamed(_pieces(here, norn().intake, path.job), "application/x-ndjson", here.connection)


@api.post("/api/execs/<id:job>/input", responses=answers(None, 204))
def send_input(path: JobPath, body: TypedAsked) -> Response:
    """Hands on what was typed, the end of it, or another size of the terminal."""
    if _own(path.job).ended:
        raise Conflict(f"the program of job {path.job} has ended", hint="norn exec runs another one")
    try:
        base64.b64decode(body.data, validate=True)
    except binascii.Error as error:
        raise InvalidRequest(f"data: it is not base64: {error}", hint="encode the bytes") from error
    dispatch.type_into(norn().intake, path.job, body.model_dump())
    return nothing()


def _own(job: int) -> SeenJob:
    """Answers the job of a program that the sender asked for; raises NotFound or Forbidden."""
    with norn().database.transaction() as tx:
        found = jobs_read.get(tx, job)
    if found.app:
        reach(found.app)
    if found.kind != JobKind.EXEC:
        raise NotFound(f"job {job} runs no program in a replica", hint="norn jobs --kind exec")
    if found.actor != actor().name:
        raise Forbidden(f"job {job} was asked for by somebody else", hint="norn exec runs one of your own")
    return found


def _pieces(here: Source, intake: Intake, job: int) -> Iterator[str]:
    try:
        yield "\n"
        heard = time.monotonic()
        while not (here.closing.is_set() or here.connection.gone()):
            told = dispatch.written_by(intake, job, 1.0)
            if told is None and (problem := _trouble(here, job)):
                # Its last piece may have come between the two looks.
                told = dispatch.written_by(intake, job, 0.1) or {"problem": problem}
            if told is not None or time.monotonic() - heard >= HEARTBEAT_SECONDS:
                heard = time.monotonic()
                yield "\n" if told is None else json.dumps(told) + "\n"
            if told is not None and ("exit" in told or "problem" in told):
                return
    finally:
        dispatch.reader_left(intake, job)


def _trouble(here: Source, job: int) -> dict[str, str] | None:
    """Answers why nothing more comes, when the job has ended without its program's end."""
    try:
        with here.database.transaction() as tx:
            found = jobs_read.get(tx, job)
    except DatabaseDown:
        return None
    if not found.ended:
        return None
    return found.error or {"code": found.state, "sentence": f"it ended {found.state}", "hint": ""}
