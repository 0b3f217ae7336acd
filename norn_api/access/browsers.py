"""Browsers that are signed in: their cookie, their CSRF token, and the pages that may use the session.

A cookie is not limited to a port: a browser sends it to every server on the same host, and so also to the apps that run
there. So the cookie alone identifies nobody, and a page needs the second secret even for reading. Such an app can also
set a cookie of the same name for a longer path, which the browser sends first; so every cookie of this name is tried.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from flask import Response
from werkzeug.http import parse_cookie

from norn_api.access.auth import CACHE_SECONDS, HEADER, Credentials, CsrfMissing, Identity
from norn_api.access.open_door import SAFE, ForeignPage, is_foreign, is_local_host
from norn_api.access.remembering import RecentlySeen
from norn_tasks.domain.errors import Forbidden
from norn_tasks.store.access import sessions
from norn_tasks.store.access.sessions import SignedIn
from norn_tasks.store.access.tokens import digest
from norn_tasks.store.database.session import Database

PATH = "/api"
"""Browsers send the cookie only to addresses below this path, and it is accepted only there, never by functions."""
_LONGEST = 200
_MOST = 10
"""The maximum number of cookies of the same name that are tried."""


class InsecurePage(Forbidden):
    """Raised when a page that was loaded from another machine without TLS tries to sign in."""

    code = "insecure_page"


def cookie_name(port: int) -> str:
    """Returns the name of the cookie. It contains the port, because all servers on a host get the same cookies."""
    return f"norn_session_{port}"


class BrowserSessions:
    """Identifies senders by a session's cookie together with its CSRF token."""

    def __init__(self, database: Database, port: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._cookie = cookie_name(port)
        self._known: RecentlySeen[SignedIn] = RecentlySeen(CACHE_SECONDS, clock)

    def identify(self, credentials: Credentials) -> Identity | None:
        """Returns the owner of the session, or None without a session; raises CsrfMissing or DatabaseDown."""
        found = self.find(credentials)
        if found is None:
            return None
        if not _fits(found, credentials):
            raise CsrfMissing
        return Identity(found.actor, session=found.id)

    def find(self, credentials: Credentials) -> SignedIn | None:
        """Returns the session that the cookie names, even if the CSRF token is missing; None if the cookie names no
        session.

        If there are several cookies, the one that belongs to the CSRF token is used, or otherwise the first one that
        names a session.
        """
        if not credentials.path.startswith(f"{PATH}/"):
            return None
        given = parse_cookie(credentials.headers.get("Cookie", "")).getlist(self._cookie)[:_MOST]
        secrets = (secret for secret in given if 0 < len(secret) <= _LONGEST)
        found = [known for secret in secrets if (known := self._known.get(digest(secret), self._look)) is not None]
        return next((known for known in found if _fits(known, credentials)), found[0] if found else None)

    def forget(self) -> None:
        """Forgets every remembered session, because one has ended."""
        self._known.clear()

    def _look(self, hashed: str) -> SignedIn | None:
        with self._database.transaction() as tx:
            return sessions.lookup(tx, hashed)


def _fits(known: SignedIn, credentials: Credentials) -> bool:
    return hmac.compare_digest(digest(credentials.headers.get(HEADER, "")), known.csrf_hash)


# The cookie


def set_cookie(response: Response, port: int, secret: str, *, host: str, seconds: float) -> None:
    """Sets the cookie in the browser, which sends it only over TLS unless the host is this machine."""
    response.set_cookie(
        cookie_name(port), secret, max_age=int(seconds), path=PATH, httponly=True, samesite="Strict",
        secure=not is_local_host(host),
    )  # fmt: skip


def clear_cookie(response: Response, port: int, *, host: str) -> None:
    """Removes the cookie from the browser."""
    response.delete_cookie(
        cookie_name(port), path=PATH, httponly=True, samesite="Strict", secure=not is_local_host(host)
    )


# The page that sends


def refuse_foreign_page(method: str, headers: Mapping[str, str]) -> None:
    """Raises ForeignPage for a change that a page of another host or port sends."""
    if method not in SAFE and is_foreign(headers):
        raise ForeignPage(
            "a page of another origin sent this, and only Norn's own page may use a session",
            hint="open Norn's page at the address that you call; a proxy in front of it must pass on the header Host",
        )


def require_safe_page(headers: Mapping[str, str]) -> None:
    """Raises InsecurePage if the page was loaded from another machine without TLS, because its browser would drop the
    cookie.
    """
    host = headers.get("Host", "")
    if not is_local_host(host) and urlsplit(headers.get("Origin", "")).scheme == "http":
        raise InsecurePage(
            f"this page came from {host[:80]} without TLS, and a session could be read on the way",
            hint="open it over https, or through a tunnel: ssh -L 8800:localhost:8800 HOST",
        )
