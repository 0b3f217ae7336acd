"""Turns the output of a call into an HTTP answer: only the body, or also status and headers (`response: cgi`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Response as FlaskResponse
from werkzeug.datastructures import Headers

from norn_api.services import norn
from norn_tasks.domain.functions import cgi
from norn_tasks.domain.functions.cgi import FunctionAnswer
from norn_tasks.domain.infraspec import FunctionOptions
from norn_tasks.domain.infraspec.words import Response
from norn_tasks.store.apps import registry
from norn_tasks.store.apps.registry import LiveFunction
from norn_tasks.store.runs import runs_read
from norn_tasks.store.runs.runs_read import Answer, FunctionCall

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_TYPE, _LOCATION = "Content-Type", "Location"


class FunctionResponse(FlaskResponse):
    """The response with an answer of a function; its `Location` is sent as the function printed it.

    The framework would parse the URL in `Location` and write it in another form. With some addresses, such as
    `http://a..b/`, that would fail while the response is sent.
    """

    def __init__(self, answer: FunctionAnswer, body: Iterable[bytes] | None = None) -> None:
        super().__init__(answer.body if body is None else body, answer.status, list(answer.headers))

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """Returns the headers that are sent."""
        location = self.headers.pop(_LOCATION, None)
        headers = super().get_wsgi_headers(environ)
        if location is not None:
            self.headers[_LOCATION] = headers[_LOCATION] = location
        return headers


def answer_of_call(call: FunctionCall, io: Answer, live: LiveFunction | None = None) -> FunctionAnswer:
    """Returns the answer of a call that succeeded, according to the options of its release.

    `live`: the live release as the caller knows it; the call may have run another release.
    """
    if live is not None and call.release == live.release:
        return answer_of(io.response or b"", live.options)
    with norn().database.transaction() as tx:
        options = registry.options_of_release(tx, call.app, call.release)
    return answer_of(io.response or b"", options or FunctionOptions())


def options_of_call(execution: int, live: LiveFunction) -> FunctionOptions:
    """Returns the options of the release that a call was accepted for, which need not be `live`."""
    with norn().database.transaction() as tx:
        call = runs_read.call(tx, execution)
        if call.release == live.release:
            return live.options
        return registry.options_of_release(tx, call.app, call.release) or live.options


def answer_of(output: bytes, options: FunctionOptions) -> FunctionAnswer:
    """Returns the answer that the output of a successful call describes; raises InvalidRequest for output that is not
    valid CGI (`response: cgi`).
    """
    if options.response is Response.RAW:
        return FunctionAnswer(200, ((_TYPE, options.content_type),), output)
    answer = cgi.parse(output)
    if any(name.lower() == _TYPE.lower() for name, _ in answer.headers):
        return answer
    return FunctionAnswer(answer.status, ((_TYPE, options.content_type), *answer.headers), answer.body)
