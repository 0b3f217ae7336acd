"""An API without tokens (NORN_AUTH=off): where it may listen, and which browser pages it refuses.

Any web page can make a browser on this machine send requests to loopback, although the page may not read the answers.
The page's owner can also point its host name to 127.0.0.1 (DNS rebinding). The browser's headers reveal both: Host
names the destination, and Origin and Sec-Fetch-Site show which page sends.
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
    """Raised when no token is needed and the request was sent to a host name that others may control."""

    code = "foreign_host"


class ForeignPage(Forbidden):
    """Raised when a page that is not Norn's own tries to change something, with a browser's session or where no token
    is needed.
    """

    code = "foreign_page"


def refuse_unsafe_settings(settings: Settings) -> None:
    """Raises InvalidRequest for settings that would let in more people than the operator wants.

    These are NORN_AUTH=off or NORN_METRICS=open where other machines can connect, and Cloudflare Access with only one
    of its two settings.
    """
    if settings.auth == "off" and not _is_local(settings.host):
        raise InvalidRequest(
            f"NORN_AUTH=off with NORN_HOST={settings.host} would let anyone in",
            hint="unset NORN_AUTH, or bind a loopback address: NORN_HOST=127.0.0.1",
        )
    if bool(settings.access_team) != bool(settings.access_audience):
        raise InvalidRequest(
            "NORN_ACCESS_TEAM and NORN_ACCESS_AUDIENCE belong together: a token for another application is not enough",
            hint="the audience tag is in the application's settings at Cloudflare Access",
        )
    if settings.metrics == "open" and not _is_local(settings.host):
        raise InvalidRequest(
            f"NORN_METRICS=open with NORN_HOST={settings.host} would show the metrics to anyone",
            hint="unset NORN_METRICS and give Prometheus a token of scope read, or bind a loopback address",
        )


def refuse_foreign(method: str, headers: Mapping[str, str], *, runs: bool = False) -> None:
    """Raises ForeignHost or ForeignPage for a request that a browser may have sent for a foreign page.

    `runs`: the request runs code, no matter which method it has, so no method is safe.
    """
    host = headers.get("Host", "").lower()
    if not is_local_host(host):
        raise ForeignHost(
            f"without tokens Norn serves localhost and loopback addresses, not {host[:80]!r}",
            hint=f"use one of those; or {_TOKENS}",
        )
    if (runs or method not in SAFE) and is_foreign(headers):
        raise ForeignPage(
            "a page of another origin sent this, and without tokens only Norn's own pages may change anything",
            hint=f"send it from a program that is not a browser; or {_TOKENS}",
        )


def is_local_host(host: str) -> bool:
    """Returns True if the value of a Host header always means this machine."""
    parts = _HOST.fullmatch(host.lower())
    return parts is not None and _is_local(parts["name"].strip("[]"))


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Returns True for a request that a page of another host or port sends. A sandboxed page has the origin `null`, so
    it is foreign. Programs other than browsers send neither Origin nor Sec-Fetch-Site, so their requests are not
    foreign.
    """
    host, origin, site = headers.get("Host", "").lower(), headers.get("Origin"), headers.get("Sec-Fetch-Site")
    return (origin is not None and _host_of(origin) != host) or site not in (None, "same-origin", "none")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin.lower()).netloc
    except ValueError:
        return ""


def _is_local(name: str) -> bool:
    """Returns True for a name that always means this machine, no matter what a DNS server says."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
