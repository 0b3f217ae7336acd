"""Collects the parts of a request that can identify its sender."""

from __future__ import annotations

from urllib.parse import parse_qs

from flask import request

from norn_api.access.auth import Credentials
from norn_api.web.request import current

_LARGER = "a push of this size is not taken; deploy it with norn deploy, or raise NORN_WEBHOOK_MAX"


def credentials() -> Credentials:
    """Returns the parts of this request that can identify its sender."""
    return Credentials(
        request.headers, request.remote_addr or "", lambda: current().read_body(current().json_limit), request.path
    )


def signed_credentials(limit: int, seconds: float) -> Credentials:
    """Returns the parts of a delivery; its body may have up to `limit` bytes, and take `seconds` to arrive."""
    address, named = request.remote_addr or "", parse_qs(request.query_string.decode("ascii", "replace")).get("hook")
    webhook = named[0] if named else ""

    def body() -> bytes:
        return current().read_body(limit, "the delivery", _LARGER, seconds=seconds)

    return Credentials(request.headers, address, body, webhook=webhook)
