"""Functions through the API: invoking one for its record, the history of calls, cancelling, calling again."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from flask import Response

from norn_api.calls import EngineTrouble, NoCapacity, trouble
from norn_api.invoking import accept, end_of, options_of, outcome, read_call, waiting_place, wants_async
from norn_api.openapi import answers, noun
from norn_api.replies import accepted, listed, reply
from norn_api.schemas.common import ListOf, WorkAccepted
from norn_api.schemas.functions import (
    CallAnswer,
    CallRecord,
    CallsQuery,
    FunctionPath,
    InvocationPath,
    InvokeQuery,
    ReplayAsked,
)
from norn_api.services import actor, norn, reach
from norn_tasks.dispatch import request_cancel
from norn_tasks.domain.access import Scope
from norn_tasks.domain.call import Call
from norn_tasks.domain.errors import Forbidden, NotRecorded
from norn_tasks.domain.job import JobKind
from norn_tasks.store import apps_read, executions
from norn_tasks.store.executions import Answer, FunctionCall
from norn_tasks.store.reading import Cut

RAW = {"description": "The request's body, as it is", "required": False, "content": {"*/*": {"schema": {}}}}
api = noun("functions", "Functions, their invocations and records")


@api.post("/api/apps/<app>/invoke", responses=answers(CallRecord, _202=WorkAccepted), request_body=RAW)
def invoke(path: FunctionPath, query: InvokeQuery) -> Response:
    """Calls a function with this body and answers the record of the call, however it ended.

    With `Prefer: respond-async`: answers 202 at once.
    """
    options = options_of(path.app)
    target = urlsplit(query.path)
    call = read_call(path.app, options, method=query.method, path=target.path or "/", query=target.query)
    if wants_async():
        return accepted(accept(path.app, call, sync=False), path.app, JobKind.INVOKE)
    with waiting_place():
        work = accept(path.app, call, sync=True)
        assert work.execution is not None
        return _told(*end_of(work.execution, options.timeout))


def _told(call: FunctionCall, io: Answer) -> Response:
    """Answers the record of an ended call; raises for one that never began."""
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
    told = CallAnswer.model_validate(call).model_dump()
    return CallRecord(**told, stdout=stdout, stdout_base64=encoded, stderr=stderr)


@api.get("/api/apps/<app>/function/history", responses=answers(ListOf[CallAnswer]))
def list_calls(path: FunctionPath, query: CallsQuery) -> Response:
    """Lists a function's calls without their bytes, newest first."""
    with norn().database.transaction() as tx:
        apps_read.one(tx, norn().settings.apps_dir, path.app)
        page = executions.calls(tx, app=path.app, state=query.state, cut=Cut(query.limit, query.after))
    return listed(CallAnswer, page)


@api.get("/api/invocations/<id:invocation>", responses=answers(CallRecord))
def get_invocation(path: InvocationPath) -> Response:
    """Answers the record of a call, as far as it is."""
    call, io = outcome(path.invocation)
    _may_see(call, Scope.READ)
    return reply(_record(call, io))


def _may_see(call: FunctionCall, scope: Scope) -> None:
    reach(call.app)
    if not actor().may(scope) and call.actor != actor().name:
        hint = f"ask an admin for one that may: norn token create NAME --scope {scope}"
        raise Forbidden(f"invocation {call.id} is somebody else's", hint=hint)


@api.delete("/api/invocations/<id:invocation>", responses=answers(CallRecord, 202))
def cancel_invocation(path: InvocationPath) -> Response:
    """Cancels a call that waits, and asks one that runs to stop; one that has ended stays as it is."""
    call, _ = outcome(path.invocation)
    _may_see(call, Scope.DEPLOY)
    request_cancel(norn().intake, call.job, actor=actor().name)
    return reply(_record(*outcome(path.invocation)), 202)


@api.post("/api/invocations/<id:invocation>/replay", responses=answers(WorkAccepted, 202))
def replay(path: InvocationPath, body: ReplayAsked) -> Response:
    """Calls the function again with the same request, on the live release or another one."""
    call, io = outcome(path.invocation)
    _may_see(call, Scope.READ)
    if io.request is None:
        sentence = f"the request of invocation {call.id} was not kept: {call.app} records {call.record}"
        raise NotRecorded(sentence, hint="set function.record: full in its infraspec.yaml, for calls from then on")
    again = Call(
        method=call.method, path=call.path, query=call.query, headers=call.headers, content_type=call.content_type,
        body=io.request,
    )  # fmt: skip
    return accepted(accept(call.app, again, sync=False, release=body.release), call.app, JobKind.INVOKE)
