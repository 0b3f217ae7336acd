"""What the router says itself when no replica can: plain text, one sentence, and when to try again."""

from __future__ import annotations

import h11

from norn_tasks.domain.app_status import ForgeState
from norn_tasks.store.routes import Route

RETRY_AFTER_SECONDS = 2


def plain(
    status: int, sentence: str, *, method: bytes = b"", retry: bool = False, closing: bool = False
) -> list[h11.Event]:
    """Answers a whole response to a request of that method; `closing`: and then the connection ends."""
    body = f"{sentence}\n".encode()
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    if retry:
        fields.append(("Retry-After", str(RETRY_AFTER_SECONDS)))
    if closing:
        fields.append(("Connection", "close"))
    content = [] if method == b"HEAD" else [h11.Data(data=body)]
    return [h11.Response(status_code=status, headers=fields, reason=_REASONS[status]), *content, h11.EndOfMessage()]


def not_served(route: Route) -> str:
    """Says in one sentence why an app has no live replica."""
    if route.forge == ForgeState.TEARING_DOWN:
        return f"{route.app} is being torn down"
    if route.forge in (ForgeState.UNFORGED, ForgeState.FORGE_FAILED):
        return f"{route.app} has no infrastructure (norn forge {route.app})"
    if route.release is None:
        return f"{route.app} is forged and has no live release yet"
    if route.wanted == 0:
        return f"{route.app} is scaled to 0 replicas"
    return f"{route.app}: 0 of {route.wanted} {'replica is' if route.wanted == 1 else 'replicas are'} ready"


_REASONS = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
