"""Rules for a bad answer to a health check: TLS, a refused host name, a missing page, or an error in the app."""

from __future__ import annotations

import re

from norn_tasks.domain.causes.evidence import Cause, Evidence
from norn_tasks.domain.causes.lines import cleaned
from norn_tasks.domain.causes.telling import telling_line

_HOST = re.compile(
    r"DisallowedHost|ALLOWED_HOSTS|Invalid HTTP_HOST|Invalid host header|Blocked hosts?:"
    r"|HostAuthorization|host.*not allowed"
    r"|Bad Request \(Invalid Hostname\)|untrusted host|allowedHosts",
    re.IGNORECASE,
)
_TLS_SAID = re.compile(
    r"plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server|bad record type|http request", re.I
)


def speaks_tls(evidence: Evidence, status: int | None) -> Cause | None:
    """Returns a cause if the app expects TLS on its port; the health check sends plain HTTP."""
    if not evidence.tls or (status is not None and status != 400):
        return None
    return Cause(
        "it speaks TLS (https) on this port",
        "let it serve plain HTTP: a reverse proxy in front of the app's URL does TLS",
    )


def refuses_the_host(evidence: Evidence, status: int | None) -> Cause | None:
    """Returns a cause if the app refuses the request's Host header; Django and Rails, for example, do so."""
    line = next((each for each in reversed(cleaned(evidence.lines)) if _HOST.search(each)), "")
    if status not in (400, 403, 421) or not (line or status == 421):
        return None
    return Cause(
        "it refuses the Host header",
        "allow the host name of the health check in the app, such as ALLOWED_HOSTS of Django",
    )


def wants_a_login(evidence: Evidence, status: int | None) -> Cause | None:
    """Returns a cause for a page that requires a login."""
    if status not in (401, 407):
        return None
    return Cause("it wants a login", "as the healthcheck, name a page that needs no login")


def forbids(evidence: Evidence, status: int | None) -> Cause | None:
    """Returns a cause for a request that the app refuses, perhaps because of its Host header."""
    if status not in (400, 403):
        return None
    return Cause(
        telling_line(evidence.lines),
        "it may refuse the Host header (Django: ALLOWED_HOSTS, Rails: config.hosts), "
        "or want a login: name a page that anybody may request",
    )


def has_no_page(evidence: Evidence, status: int | None) -> Cause | None:
    """Returns a cause for a path that the app does not have."""
    if status not in (404, 405, 410):
        return None
    return Cause("the app has no such page", "correct the path of the healthcheck, or add the page")


def fails(evidence: Evidence, status: int | None) -> Cause | None:
    """Returns a cause for an error in the app while it answered, with the line of its output that names the error."""
    if status is None or status < 500:
        return None
    return Cause(telling_line(evidence.lines), "the app fails while it answers: its last lines say why")
