"""Tells every error as an RFC 9457 problem: our own by their status and code, the framework's in the same shape."""

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

from norn_api.fields import FieldsInvalid, fields_invalid
from norn_tasks.domain.errors import (
    BadRequest,
    BodyTooLarge,
    HostTaken,
    InvalidRequest,
    NornError,
    NotFound,
    SpecInvalid,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)

CONTENT_TYPE = "application/problem+json"
_TOLD_FACTS = ("job", "execution", "deployment", "retry_after", "limit")
_RETRY_AFTER = 2.0
_log = structlog.get_logger("norn.api")


class HeadersTooLarge(NornError):
    """The headers that a function would get are over the limit."""

    code, status = "headers_too_large", 431


class MethodRefused(NornError):
    """The path is there, and this method is not one of its."""

    code, status = "method_not_allowed", 405


class Internal(NornError):
    """Something went wrong that nobody foresaw; the log has it under the id in the sentence."""

    code, status = "internal", 500


def body_of(error: NornError) -> dict[str, Any]:
    """Answers an error as the members of a problem."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.sentence,
        "hint": error.hint,
    }
    if isinstance(error, SpecInvalid | FieldsInvalid):
        told["mistakes"] = [asdict(mistake) for mistake in error.mistakes]
    told.update({name: error.facts[name] for name in _TOLD_FACTS if error.facts.get(name) is not None})
    if _asks_to_wait(error):
        told["retry_after"] = math.ceil(error.facts.get("retry_after", _RETRY_AFTER))
    return told


def _asks_to_wait(error: NornError) -> bool:
    return isinstance(error, Unavailable | TooManyRequests)


def problem(error: NornError) -> Response:
    """Answers an error as a response."""
    told = body_of(error)
    response = Response(json.dumps(told), error.status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    if "retry_after" in told:
        response.headers["Retry-After"] = str(math.ceil(told["retry_after"]))
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="norn"'
    return response


def _refused(error: NornError) -> Response:
    """Answers a refusal, with the name of another app only for who may see that app."""
    if isinstance(error, HostTaken) and g.actor.reaches(error.owner):
        error = HostTaken(error.host, error.owner, named=True)
    return problem(error)


# What flask-openapi and the framework raise


def refused_fields(error: ValidationError) -> Response:
    """The answer that flask-openapi aborts with when a model refuses a request."""
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
_HINTS = {404: "GET /api/openapi.json lists every address and its methods", 413: "send less"}
_SENTENCES = {404: "there is nothing at this address", 413: "the body is over its limit"}


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


def _unforeseen(error: Exception) -> Response:
    """Logs where it happened under an id. No values: a driver's message may hold what a user sent."""
    number = secrets.token_hex(6)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    first_line = (str(error).splitlines() or [""])[0][:200]
    _log.error("a request failed unforeseen", id=number, error=type(error).__name__, says=first_line, at=where)
    return problem(
        Internal(
            f"something went wrong inside Norn (id {number})",
            hint="the API's log tells more by this id: norn logs --server api",
        )
    )


def register(app: Flask) -> None:
    """Makes the app tell every error as a problem."""
    app.register_error_handler(NornError, _refused)
    app.register_error_handler(HTTPException, _framework)
    app.register_error_handler(Exception, _unforeseen)
