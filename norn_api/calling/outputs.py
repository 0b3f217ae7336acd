"""The output of a call as an HTTP answer: the body alone, or with status and headers (`response: cgi`)."""

from __future__ import annotations

from norn_api.services import norn
from norn_tasks.domain.functions import cgi
from norn_tasks.domain.functions.cgi import FunctionAnswer
from norn_tasks.domain.infraspec import FunctionOptions
from norn_tasks.domain.infraspec.words import Response
from norn_tasks.store.apps import registry
from norn_tasks.store.apps.registry import LiveFunction
from norn_tasks.store.runs.runs_read import FunctionCall

_TYPE = "Content-Type"


def options_of_call(call: FunctionCall, live: LiveFunction | None = None) -> FunctionOptions:
    """Returns the options of the release that ran the call, which another release may have replaced since."""
    if live is not None and call.release == live.release:
        return live.options
    assert call.release is not None, "a call belongs to a release"
    with norn().database.transaction() as tx:
        return registry.options_of_release(tx, call.app, call.release)


def answer_of(output: bytes, options: FunctionOptions) -> FunctionAnswer:
    """Returns the answer that the output of a call that succeeded is."""
    if options.response is Response.RAW:
        return FunctionAnswer(200, ((_TYPE, options.content_type),), output)
    answer = cgi.parse(output)
    if any(name.lower() == _TYPE.lower() for name, _ in answer.headers):
        return answer
    return FunctionAnswer(answer.status, ((_TYPE, options.content_type), *answer.headers), answer.body)
