"""Lets pages of other origins call a function: the headers that make a browser allow this (CORS).

A call needs a token that the page itself sends, because a cookie is not accepted. So a page of any origin may call a
function, unless the function names origins (`function.cors`): then a call that a page of another origin sends is
refused, and runs nothing. Without this check the browser would send such a call, and only hide its answer from the
page. With NORN_AUTH=off, no token is needed, so `open_door` refuses pages of other origins first.
"""

from __future__ import annotations

from collections.abc import Collection

from flask import Response, g, request
from werkzeug.datastructures import Headers

from norn_api.access.open_door import is_foreign
from norn_tasks.domain.errors import Forbidden
from norn_tasks.domain.functions.origins import ANY_ORIGIN
from norn_tasks.domain.wording import shown

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_SHOWN = "X-Norn-Invocation-Id, X-Norn-Duration-Ms, X-Request-Id, Retry-After, Location"
_KEPT_SECONDS = "600"


class ForeignOrigin(Forbidden):
    """Raised when a page calls a function and the page's origin is not in the function's list `cors`."""

    code = "foreign_origin"


def require_origin(app: str, origins: Collection[str]) -> None:
    """Raises ForeignOrigin if a page sent this call and the origin of the page is not among `origins`."""
    g.origins = origins
    sender = request.headers.get("Origin")
    if ANY_ORIGIN in origins or sender in origins or not is_foreign(dict(request.headers)):
        return
    if sender is None and request.headers.get("Sec-Fetch-Mode") == "navigate":
        return  # a person followed a link, and the page with the link gets no answer
    raise ForeignOrigin(
        f"pages of {shown(sender) if sender else 'another origin'} may not call {app}",
        hint="name the origin in function.cors of its infraspec.yaml",
    )


def is_preflight() -> bool:
    """Returns True for a preflight: the request in which a browser asks whether a page may send its call."""
    asks = request.headers
    return request.method == "OPTIONS" and "Origin" in asks and "Access-Control-Request-Method" in asks


def preflight() -> Response:
    """Returns the response to a preflight, which is the same whether the function exists or not."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    response.headers["Access-Control-Allow-Methods"] = _METHODS
    response.headers["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "")
    response.headers["Access-Control-Max-Age"] = _KEPT_SECONDS
    return response


def allow(headers: Headers) -> None:
    """Lets the page that sent this request read the response, unless its origin may not call the function."""
    origins, sender = g.get("origins", (ANY_ORIGIN,)), request.headers.get("Origin")
    if ANY_ORIGIN not in origins:
        headers.add("Vary", "Origin")
    if sender is None or not {ANY_ORIGIN, sender} & {*origins}:
        return
    headers["Access-Control-Allow-Origin"] = ANY_ORIGIN if ANY_ORIGIN in origins else sender
    headers["Access-Control-Expose-Headers"] = _SHOWN
