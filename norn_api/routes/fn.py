"""`/fn/<app>/…`: calls a function and answers with what it printed."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from norn_api.calls import trouble
from norn_api.invoking import accept, end_of, options_of, read_call, waiting_place, wants_async
from norn_api.replies import accepted
from norn_tasks.domain.call import Call
from norn_tasks.domain.errors import NotRecorded
from norn_tasks.domain.infraspec import FunctionOptions
from norn_tasks.domain.job import JobKind

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
pages = Blueprint("fn", __name__)


@pages.route("/fn/<app>", methods=METHODS, defaults={"rest": None}, provide_automatic_options=False)
@pages.route("/fn/<app>/<rest:rest>", methods=METHODS, provide_automatic_options=False)
def call_function(app: str, rest: str | None) -> Response:
    """Calls a function with this request, and answers with its standard output."""
    options = options_of(app)
    query = request.query_string.decode("latin-1")
    call = read_call(app, options, method=request.method, path=f"/{rest or ''}", query=query)
    if wants_async():
        return accepted(accept(app, call, sync=False), app, JobKind.INVOKE)
    with waiting_place():
        return _answer(app, call, options)


def _answer(app: str, call: Call, options: FunctionOptions) -> Response:
    execution = accept(app, call, sync=True).execution
    assert execution is not None
    record, io = end_of(execution, options.timeout)
    g.duration_ms = record.duration_ms
    error = trouble(record)
    if error is not None:
        raise error
    if io.response is None and record.trimmed_at is not None:
        sentence = f"the answer of invocation {record.id} was taken, and {app} records {record.record}"
        raise NotRecorded(sentence, hint="call it again with a new Idempotency-Key")
    return Response(io.response or b"", content_type=options.content_type)


def shield(response: Response) -> Response:
    """Keeps what a function answers from acting as a page of ours, and tells which call it was."""
    response.headers["Content-Security-Policy"] = "sandbox allow-scripts allow-forms"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
