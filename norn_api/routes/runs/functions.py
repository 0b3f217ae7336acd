"""Functions: calling one and getting the record of the call, listing, comparing, cancelling and repeating calls."""

from __future__ import annotations

import base64
from dataclasses import asdict
from urllib.parse import urlsplit

from flask import Response

from norn_api.calling.answers import end_of, outcome
from norn_api.calling.calls import EngineTrouble, NoCapacity, trouble
from norn_api.calling.comparing import compare, seen_answer
from norn_api.calling.invoking import (
    accept,
    accept_call,
    function_of,
    received_call,
    recent_function_of,
    wants_async,
)
from norn_api.calling.outputs import answer_of_call
from norn_api.schemas.common import ListOf, WorkAccepted
from norn_api.schemas.functions import (
    CallRecord,
    CallResponse,
    CallsCompared,
    CallsQuery,
    ComparisonPath,
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
from norn_tasks.domain.errors import Conflict, Forbidden, InvalidRequest, NotRecorded
from norn_tasks.domain.infraspec.words import Record
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.execution import ExecutionState
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.store.apps.registry import LiveFunction
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.runs import runs_read
from norn_tasks.store.runs.runs_read import Answer, FunctionCall
from norn_tasks.store.status import apps

RAW = {"description": "The request's body, as it is", "required": False, "content": {"*/*": {"schema": {}}}}
api = noun("functions", "Functions, their invocations and records")


@api.post("/api/apps/<app>/invoke", responses=responses_of(CallRecord, _202=WorkAccepted), request_body=RAW)
def invoke(path: FunctionPath, query: InvokeQuery) -> Response:
    """Calls a function with this body and returns the record of the call, even if the call failed.

    With `Prefer: respond-async` it returns 202 at once.
    """
    deferred = wants_async()
    live = recent_function_of(path.app) if deferred else function_of(path.app)
    options = live.options
    target = urlsplit(query.path)
    with received_call(path.app, options, method=query.method, path=target.path or "/", query=target.query) as received:
        if deferred:
            return accepted(accept(path.app, received, sync=False, known=live), path.app, JobKind.INVOKE)
        with norn().waiting.place(shares=shares()):
            work = accept(path.app, received, sync=True)
            received.body.close()
            assert work.execution is not None
            return _answer(*end_of(work.execution, options.timeout), live)


def _answer(call: FunctionCall, io: Answer, live: LiveFunction) -> Response:
    """Returns the record of a call that has ended; raises NoCapacity or EngineTrouble for a call that could not be
    started.
    """
    error = trouble(call)
    if call.begun_at is None and isinstance(error, NoCapacity | EngineTrouble):
        raise error
    return reply(_record(call, io, live))


def _record(call: FunctionCall, io: Answer, live: LiveFunction | None = None) -> CallRecord:
    stdout, encoded = None, None
    if io.response is not None:
        try:
            stdout = io.response.decode("utf-8")
        except UnicodeDecodeError:
            encoded = base64.b64encode(io.response).decode("ascii")
    stderr = None if io.stderr is None else io.stderr.decode("utf-8", "replace")
    shown = CallResponse.model_validate(call).model_dump()
    status, headers = _head(call, io, live)
    return CallRecord(
        **shown, stdout=stdout, stdout_base64=encoded, stderr=stderr, status=status, headers=headers
    )  # fmt: skip


def _head(call: FunctionCall, io: Answer, live: LiveFunction | None) -> tuple[int | None, list[list[str]]]:
    """Returns the status and the headers of the call's answer at `/fn`; None and an empty list if they are not
    known.
    """
    if not ExecutionState(call.state).terminal:
        return None, []
    error = trouble(call)
    if error is not None:
        return error.status, []
    if io.response is None:
        return None, []
    answer = answer_of_call(call, io, live)
    return answer.status, [list(each) for each in answer.headers]


@api.get("/api/apps/<app>/function/history", responses=responses_of(ListOf[CallResponse]))
def list_calls(path: FunctionPath, query: CallsQuery) -> Response:
    """Lists a function's calls without their output, newest first."""
    with norn().database.transaction() as tx:
        apps.record(tx, norn().settings.apps_dir, path.app)
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


@api.get("/api/invocations/<id:invocation>/comparison/<id:other>", responses=responses_of(CallsCompared))
def compare_invocations(path: ComparisonPath) -> Response:
    """Compares the answer of a call with that of another call of the same app, such as its replay."""
    calls = [outcome(path.invocation), outcome(path.other)]
    for call, io in calls:
        _may_see(call, Scope.READ)
        _require_answer(call, io)
    (one, _), (two, _) = calls
    if one.app != two.app:
        raise InvalidRequest(f"other: invocation {two.id} is of {two.app}, and {one.id} of {one.app}",
                             hint=f"norn fn history {one.app}")  # fmt: skip
    found = compare(*(seen_answer(call, io) for call, io in calls))
    return reply(CallsCompared(before=one.id, after=two.id, same=found.same, **asdict(found)))


def _require_answer(call: FunctionCall, io: Answer) -> None:
    """Raises Conflict for a call that has not ended, and NotRecorded for one whose answer is not kept."""
    if not ExecutionState(call.state).terminal:
        raise Conflict(f"invocation {call.id} has not ended", hint=f"norn fn show {call.id}")
    if call.state == ExecutionState.SUCCEEDED and io.response is None:
        raise NotRecorded(f"the answer of invocation {call.id} is not kept",
                          hint="set function.record: full in its infraspec.yaml, for calls from then on")  # fmt: skip


@api.delete("/api/invocations/<id:invocation>", responses=responses_of(CallRecord, 202))
def cancel_invocation(path: InvocationPath) -> Response:
    """Cancels a waiting call, and asks a running one to stop; a call that has ended stays as it is."""
    call, _ = outcome(path.invocation)
    _may_see(call, Scope.DEPLOY)
    request_cancel(norn().intake, call.job, actor=actor().name)
    return reply(_record(*outcome(path.invocation)), 202)


@api.post("/api/invocations/<id:invocation>/replay", responses=responses_of(WorkAccepted, 202))
def replay(path: InvocationPath, body: ReplayRequest) -> Response:
    """Repeats a call with the same request, on the live release or on another release."""
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
