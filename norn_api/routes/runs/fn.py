"""`/fn/<app>/…`: calls a function and returns its output."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from norn_api.access.pages import require_origin
from norn_api.calling.answers import end_of
from norn_api.calling.calls import trouble
from norn_api.calling.invoking import (
    ReceivedCall,
    accept,
    function_of,
    received_call,
    recent_function_of,
    wants_async,
    wants_stream,
)
from norn_api.calling.live_answers import live_answer
from norn_api.calling.outputs import FunctionResponse, answer_of_call
from norn_api.services import norn, shares
from norn_api.web.replies import accepted
from norn_tasks.domain.errors import NotRecorded
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.store.apps.registry import LiveFunction

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
pages = Blueprint("fn", __name__)


@pages.route("/fn/<app>", methods=METHODS, defaults={"rest": None}, provide_automatic_options=False)
@pages.route("/fn/<app>/<rest:rest>", methods=METHODS, provide_automatic_options=False)
def call_function(app: str, rest: str | None) -> Response:
    """Calls a function with this request, and returns its standard output."""
    deferred = wants_async()
    live = recent_function_of(app) if deferred else function_of(app)
    options, method = live.options, request.method
    require_origin(app, options.cors)
    query = request.query_string.decode("latin-1")
    with received_call(app, options, method=method, path=f"/{rest or ''}", query=query) as received:
        if deferred:
            return accepted(accept(app, received, sync=False, known=live), app, JobKind.INVOKE)
        if wants_stream() and method != "HEAD":
            return _streamed(app, received, live)
        with norn().waiting.place(shares=shares()):
            execution = accept(app, received, sync=True).execution
            received.body.close()
            assert execution is not None
            return _answer(execution, app, live)


def _streamed(app: str, received: ReceivedCall, live: LiveFunction) -> Response:
    """Returns an answer that is sent while the function prints it, or for a repeated Idempotency-Key, the recorded
    answer.
    """
    give_back = norn().waiting.take(shares=shares())
    try:
        work = accept(app, received, sync=True, stream=True)
        received.body.close()
        assert work.execution is not None
        if not work.replayed:
            return live_answer(work, live, give_back)
        answer = _answer(work.execution, app, live)
        give_back()
        return answer
    except BaseException:
        give_back()
        raise


def _answer(execution: int, app: str, live: LiveFunction) -> Response:
    record, io = end_of(execution, live.options.timeout)
    g.duration_ms = record.duration_ms
    error = trouble(record)
    if error is not None:
        raise error
    if io.response is None and record.trimmed_at is not None:
        sentence = f"the output of invocation {record.id} was already read, and {app} records {record.record}"
        raise NotRecorded(sentence, hint="call it again with a new Idempotency-Key")
    return FunctionResponse(answer_of_call(record, io, live))
