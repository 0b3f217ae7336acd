"""Functions: calling one for its record, the history of calls, cancelling and repeating them."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from flask import Response

from norn_api.calling.answers import end_of, outcome
from norn_api.calling.calls import EngineTrouble, NoCapacity, trouble
from norn_api.calling.invoking import accept, accept_call, function_of, received_call, wants_async
from norn_api.schemas.common import ListOf, WorkAccepted
from norn_api.schemas.functions import (
    CallRecord,
    CallResponse,
    CallsQuery,
    FunctionPath,
    InvocationPath,
    InvokeQuery,
    ReplayRequest,
)
from norn_api.services import actor, hide_from_others, norn, shares
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import accepted, listed, reply
from norn_tasks.dispatch import request_cancel
from norn_tasks.domain.access import Scope
from norn_tasks.domain.errors import Forbidden, NotRecorded
from norn_tasks.domain.infraspec.words import Record
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.runs import runs_read
from norn_tasks.store.runs.runs_read import Answer, FunctionCall
from norn_tasks.store.status import apps

RAW = {"description": "The request's body, as it is", "required": False, "content": {"*/*": {"schema": {}}}}
api = noun("functions", "Functions, their invocations and records")


@api.post("/api/apps/<app>/invoke", responses=responses_of(CallRecord, _202=WorkAccepted), request_body=RAW)
def invoke(path: FunctionPath, query: InvokeQuery) -> Response:
    """Calls a function with this body and returns the record of the call, also of a failed one.

    With `Prefer: respond-async` it returns 202 at once.
    """
    options = function_of(path.app).options
    target = urlsplit(query.path)
    with received_call(path.app, options, method=query.method, path=target.path or "/", query=target.query) as received:
        if wants_async():
            return accepted(accept(path.app, received, sync=False), path.app, JobKind.INVOKE)
        with norn().waiting.place(shares=shares()):
            work = accept(path.app, received, sync=True)
            received.body.close()
            assert work.execution is not None
            return _answer(*end_of(work.execution, options.timeout))


def _answer(call: FunctionCall, io: Answer) -> Response:
    """Returns the record of a call that has ended; raises an error if it never began."""
    error = trouble(call)
    if call.begun_at is None and isinstance(error, NoCapacity | EngineTrouble):
        raise error
    return reply(_record(call, io))


def _record(call: FunctionCall, io: Answer) -> CallRecord:
    stdout, encoded = None, None
    if io.response is not None:
        try:
            stdout = io.response.decode("utf-8")
        except UnicodeDecodeError:
            encoded = base64.b64encode(io.response).decode("ascii")
    stderr = None if io.stderr is None else io.stderr.decode("utf-8", "replace")
    shown = CallResponse.model_validate(call).model_dump()
    return CallRecord(**shown, stdout=stdout, stdout_base64=encoded, stderr=stderr)


@api.get("/api/apps/<app>/function/history", responses=responses_of(ListOf[CallResponse]))
def list_calls(path: FunctionPath, query: CallsQuery) -> Response:
    """Lists a function's calls without their output, newest first."""
    with norn().database.transaction() as tx:
        apps.one(tx, norn().settings.apps_dir, path.app)
        page = runs_read.calls(tx, app=path.app, state=query.state, cut=Cut(query.limit, query.after))
    return listed(CallResponse, page)


@api.get("/api/invocations/<id:invocation>", responses=responses_of(CallRecord))
def get_invocation(path: InvocationPath) -> Response:
    """Returns the record of a call in its current state."""
    call, io = outcome(path.invocation)
    _may_see(call, Scope.READ)
    return reply(_record(call, io))


def _may_see(call: FunctionCall, scope: Scope) -> None:
    hide_from_others(call.app, runs_read.absent_call(call.id))
    if not actor().may(scope) and call.actor != actor().name:
        hint = f"ask an admin for one that may: norn token create NAME --scope {scope}"
        raise Forbidden(f"invocation {call.id} is somebody else's", hint=hint)


@api.delete("/api/invocations/<id:invocation>", responses=responses_of(CallRecord, 202))
def cancel_invocation(path: InvocationPath) -> Response:
    """Cancels a waiting call, and asks a running one to stop; a call that has ended stays as it is."""
    call, _ = outcome(path.invocation)
    _may_see(call, Scope.DEPLOY)
    request_cancel(norn().intake, call.job, actor=actor().name)
    return reply(_record(*outcome(path.invocation)), 202)


@api.post("/api/invocations/<id:invocation>/replay", responses=responses_of(WorkAccepted, 202))
def replay(path: InvocationPath, body: ReplayRequest) -> Response:
    """Repeats a call with the same request, on the live release or another one."""
    call, io = outcome(path.invocation)
    _may_see(call, Scope.READ)
    if io.request is None:
        raise _not_kept(call)
    again = Call(
        method=call.method, path=call.path, query=call.query, headers=call.headers, content_type=call.content_type,
        body=io.request,
    )  # fmt: skip
    return accepted(accept_call(call.app, again, sync=False, release=body.release), call.app, JobKind.INVOKE)


def _not_kept(call: FunctionCall) -> NotRecorded:
    if call.record == Record.FULL:
        sentence = f"the request of invocation {call.id} was dropped, after newer ones of {call.app}"
        return NotRecorded(sentence, hint="raise NORN_KEEP_BODIES, for calls from then on")
    sentence = f"the request of invocation {call.id} was not kept: {call.app} records {call.record}"
    return NotRecorded(sentence, hint="set function.record: full in its infraspec.yaml, for calls from then on")
