"""The door without a lock (NORN_AUTH=off): where it may be, and which pages of a browser do not come through it.

A page from anywhere reaches loopback: it sends blindly, or gives its own name the address 127.0.0.1 (DNS rebinding).
Its browser tells both: to which name it sends (Host), and whose page asks (Origin, Sec-Fetch-Site).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from norn_tasks.domain.errors import Forbidden, InvalidRequest
from norn_tasks.settings import Settings

SAFE = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^][@/:]+)(:\d*)?")
_TOKENS = "unset NORN_AUTH, and send a token"


class ForeignHost(Forbidden):
    """Nobody is asked for a token, and this was sent to a name that others could have made up."""

    code = "foreign_host"


class ForeignPage(Forbidden):
    """Nobody is asked for a token, and a page that is not Norn's own wants to change something."""

    code = "foreign_page"


def refuse_open_door(settings: Settings) -> None:
    """Raises InvalidRequest when no token is asked for (at all, or for /metrics) and others than we can connect."""
    if settings.auth == "off" and not _is_ours(settings.host):
        raise InvalidRequest(
            f"NORN_AUTH=off with NORN_HOST={settings.host} would let anyone in",
            hint="unset NORN_AUTH, or bind a loopback address: NORN_HOST=127.0.0.1",
        )
    if settings.metrics == "open" and not _is_ours(settings.host):
        raise InvalidRequest(
            f"NORN_METRICS=open with NORN_HOST={settings.host} would show the figures to anyone",
            hint="unset NORN_METRICS and give Prometheus a token of scope read, or bind a loopback address",
        )


def refuse_foreign(method: str, headers: Mapping[str, str]) -> None:
    """Raises ForeignHost or ForeignPage for a request that a page from elsewhere may have made a browser send."""
    host = headers.get("Host", "").lower()
    parts = _HOST.fullmatch(host)
    if parts is None or not _is_ours(parts["name"].strip("[]")):
        raise ForeignHost(
            f"without tokens Norn answers to localhost and to loopback addresses, not to {host[:80]!r}",
            hint=f"call it by one of those; or {_TOKENS}",
        )
    if method not in SAFE and _is_foreign(host, headers.get("Origin"), headers.get("Sec-Fetch-Site")):
        raise ForeignPage(
            "a page of another origin asked for this, and without tokens only Norn's own pages change anything",
            hint=f"ask from a program that is no browser; or {_TOKENS}",
        )


def _is_foreign(host: str, origin: str | None, site: str | None) -> bool:
    """True for a page of another host or port; programs send neither header. A sandboxed page's origin is `null`."""
    return (origin is not None and _host_of(origin) != host) or site not in (None, "same-origin", "none")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin.lower()).netloc
    except ValueError:
        return ""


def _is_ours(name: str) -> bool:
    """True for a name that is always this machine's own, whatever a DNS server says."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
