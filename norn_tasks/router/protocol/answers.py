"""The router's own answers when no replica can answer: plain text with one sentence, and a header that says when to try
again.
"""

from __future__ import annotations

from norn_tasks.domain.jobs.app_status import ForgeState
from norn_tasks.store.replicas.routes import Route

RETRY_AFTER_SECONDS = 2
MAINTENANCE_RETRY_SECONDS = 60


def plain(status: int, sentence: str, *, method: bytes = b"", retry: bool = False, closing: bool = False) -> bytes:
    """Returns a complete answer to a request with this method; with `closing`, the connection ends after it."""
    body = f"{sentence}\n".encode()
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
    ]
    if retry:
        lines.append(f"Retry-After: {RETRY_AFTER_SECONDS}")
    if closing:
        lines.append("Connection: close")
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return head if method == b"HEAD" else head + body


def page(html: str, *, method: bytes = b"", closing: bool = False) -> bytes:
    """Returns a 503 with a page for visitors; with `closing`, the connection is closed after it."""
    body = html.encode()
    lines = [
        f"HTTP/1.1 503 {_REASONS[503]}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        f"Retry-After: {MAINTENANCE_RETRY_SECONDS}",
        *(["Connection: close"] if closing else []),
    ]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return head if method == b"HEAD" else head + body


def not_served(route: Route) -> str:
    """Returns a sentence that says why an app has no live replica."""
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
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
