"""The sender of a request: the parts of the request that can identify it."""

from __future__ import annotations

from flask import request

from norn_api.access.auth import Credentials
from norn_api.web.request import current


def credentials() -> Credentials:
    """Returns the parts of this request that can identify its sender."""
    return Credentials(
        request.headers, request.remote_addr or "", lambda: current().read_body(current().json_limit), request.path
    )
