"""Pages of other origins that call a function: the headers that make a browser allow it (CORS).

Any page may send a call, because a call needs a token that the page itself sends; a cookie is not accepted. With
NORN_AUTH=off, no token is needed, so `open_door` refuses pages of other origins first.
"""

from __future__ import annotations

from flask import Response, request
from werkzeug.datastructures import Headers

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_SHOWN = "X-Norn-Invocation-Id, X-Norn-Duration-Ms, X-Request-Id, Retry-After, Location"
_KEPT_SECONDS = "600"


def is_preflight() -> bool:
    """Returns True for a preflight: the request in which a browser asks whether a page may send its call."""
    asks = request.headers
    return request.method == "OPTIONS" and "Origin" in asks and "Access-Control-Request-Method" in asks


def preflight() -> Response:
    """Returns the response to a preflight: it is the same whether the function exists or not."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    response.headers["Access-Control-Allow-Methods"] = _METHODS
    response.headers["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "")
    response.headers["Access-Control-Max-Age"] = _KEPT_SECONDS
    return response


def allow(headers: Headers) -> None:
    """Lets the page that sent this request read the response."""
    if "Origin" in request.headers and "Access-Control-Allow-Origin" not in headers:
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Access-Control-Expose-Headers"] = _SHOWN
