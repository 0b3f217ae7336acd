"""Turns every error into an RFC 9457 problem: Norn's own errors, and those of the framework."""

from __future__ import annotations

import json
import math
import secrets
import traceback
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from norn_api.web.fields import FieldsInvalid, fields_invalid
from norn_tasks.domain.errors import (
    BadRequest,
    BodyTooLarge,
    DatabaseDown,
    HostTaken,
    InvalidRequest,
    NornError,
    NotFound,
    SpecInvalid,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unconfirmed,
    UnsupportedMedia,
)
from norn_tasks.store.database import session, trouble

CONTENT_TYPE = "application/problem+json"
_SHOWN_FACTS = ("job", "execution", "deployment", "retry_after", "limit")
_RETRY_AFTER = 2.0
"""The seconds in the header Retry-After if the error itself names none."""
_log = structlog.get_logger("norn.api")


class HeadersTooLarge(NornError):
    """The headers for a function are larger than the limit."""

    code, status = "headers_too_large", 431


class MethodRefused(NornError):
    """The path exists, but not with this method."""

    code, status = "method_not_allowed", 405


class Internal(NornError):
    """An unexpected error; its sentence has the id under which the log has the details."""

    code, status = "internal", 500


def body_of(error: NornError) -> dict[str, Any]:
    """Returns an error as the members of a problem."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.sentence,
        "hint": error.hint,
    }
    if isinstance(error, SpecInvalid | FieldsInvalid):
        body["mistakes"] = [asdict(mistake) for mistake in error.mistakes]
    body.update({name: error.facts[name] for name in _SHOWN_FACTS if error.facts.get(name) is not None})
    if _asks_to_wait(error):
        body["retry_after"] = math.ceil(error.facts.get("retry_after", _RETRY_AFTER))
    return body


def _asks_to_wait(error: NornError) -> bool:
    """Returns True for an error that means that nothing was done, and that the client may try again."""
    return isinstance(error, Unavailable | TooManyRequests) and not isinstance(error, Unconfirmed)


def problem(error: NornError) -> Response:
    """Returns an error as a response."""
    body = body_of(error)
    response = Response(json.dumps(body), error.status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    if "retry_after" in body:
        response.headers["Retry-After"] = str(math.ceil(body["retry_after"]))
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="norn"'
    return response


def _refused(error: NornError) -> Response:
    """Returns the response for one of Norn's errors; it names another app only if the sender may see that app.

    If the database fails after the request has changed something, the error says that the outcome is unconfirmed.
    """
    if isinstance(error, HostTaken) and g.actor.reaches(error.owner):
        error = error.naming_the_owner()
    if (
        isinstance(error, DatabaseDown)
        and not isinstance(error, Unconfirmed)
        and session.changes_of_thread() > g.changes
    ):
        error = trouble.unconfirmed(f"this was done, and then its answer could not be read: {error.sentence}")
    return problem(error)


# Errors of flask-openapi and the framework


def refused_fields(error: ValidationError) -> Response:
    """Returns the response that flask-openapi sends for a request that does not fit its model."""
    return problem(fields_invalid(error))


_FRAMEWORK: dict[int, type[NornError]] = {
    400: BadRequest,
    404: NotFound,
    413: BodyTooLarge,
    415: UnsupportedMedia,
    422: InvalidRequest,
    429: TooManyRequests,
    503: Unavailable,
}
_HINTS = {404: "GET /api/openapi.json lists every address and its methods", 413: "send a smaller body"}
_SENTENCES = {404: "this server has no such address", 413: "the body is over its limit"}


def _framework(error: HTTPException) -> Response:
    if error.response is not None and isinstance(error.response, Response):
        return error.response
    status = error.code or 500
    if isinstance(error, MethodNotAllowed):
        answer = problem(
            MethodRefused("this address does not take this method", hint="GET /api/openapi.json lists them")
        )
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
        return answer
    kind = _FRAMEWORK.get(status, BadRequest if status < 500 else Internal)
    sentence = _SENTENCES.get(status) or (error.description or HTTPStatus(status).phrase).rstrip(".")
    return problem(kind(sentence[:300], hint=_HINTS.get(status, "")))


def _unexpected(error: Exception) -> Response:
    """Logs an error under an id. Only the first line of its message is logged, because the rest may contain a user's
    data.
    """
    number = secrets.token_hex(6)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    first_line = (str(error).splitlines() or [""])[0][:200]
    _log.error(
        "a request failed with an unexpected error", id=number, error=type(error).__name__, says=first_line, at=where
    )
    return problem(
        Internal(
            f"something went wrong inside Norn (id {number})",
            hint="the API's log has the details under this id: norn logs --server api",
        )
    )


def register(app: Flask) -> None:
    """Registers the handlers that turn every error into a problem."""
    app.register_error_handler(NornError, _refused)
    app.register_error_handler(HTTPException, _framework)
    app.register_error_handler(Exception, _unexpected)
