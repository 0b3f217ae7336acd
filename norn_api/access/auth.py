"""Authenticators: each recognises one kind of credentials. A chain asks them in order, and limits how often credentials
can be guessed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from werkzeug.datastructures import Headers

from norn_api.access.limits import Buckets
from norn_api.access.remembering import RecentlySeen
from norn_tasks.domain.access import NAMELESS, Actor, Scope
from norn_tasks.domain.errors import DatabaseDown, Forbidden, TooManyRequests, Unauthenticated
from norn_tasks.store.access import tokens
from norn_tasks.store.database.session import Database

CACHE_SECONDS = 5.0
"""The longest time for which another API process still accepts a token after it was revoked."""

ANONYMOUS = Actor(NAMELESS)
_EVERYONE_IS_ADMIN = Actor(NAMELESS, frozenset({Scope.ADMIN}))
HEADER = "X-Norn-CSRF"
"""The header in which a browser sends the CSRF token: the second secret of a session, beside the cookie."""
_HINT = "set NORN_TOKEN (over HTTP: `Authorization: Bearer norn_…`); an admin makes one: norn token create NAME"


class CsrfMissing(Forbidden):
    """Raised when the cookie of a session came without the session's second secret."""

    code = "csrf"

    def __init__(self) -> None:
        super().__init__(
            "the cookie of a session is not enough: its CSRF token is missing or belongs to another session",
            hint=f"send the header {HEADER} with the `csrf` of POST /api/session, or sign in again",
        )


@dataclass(frozen=True)
class Credentials:
    """The parts of a request that can identify its sender."""

    headers: Headers
    """The headers of the request."""
    address: str
    """The address of the client's connection."""
    body: Callable[[], bytes]
    """Reads the raw body, for a signature over it."""
    path: str = ""
    """The path of the request."""
    webhook: str = ""
    """The id of the webhook that the request's URL names; empty if it names none."""


@dataclass(frozen=True)
class Identity:
    """The sender of a request."""

    actor: Actor
    """Its name, scopes and apps."""
    signed: bool = False
    """True if a signature over the body proved the sender; routes with a `signed` permission accept no other identity.
    """
    session: int | None = None
    """The id of the browser session with which the sender is signed in; None for other credentials."""
    ambient: bool = False
    """True if the browser adds the credentials to every request, even to one that a foreign page caused."""


class Authenticator(Protocol):
    """Recognises one kind of credentials."""

    def identify(self, credentials: Credentials) -> Identity | None:
        """Returns the sender; None if the request has no valid credentials of this kind. Raises CsrfMissing."""


@dataclass(frozen=True)
class Refusals:
    """The error messages for a sender that no authenticator recognises."""

    many: str
    """The message after many failures from one address."""
    none: str
    """The message for a request without credentials."""
    unknown: str
    """The message for credentials that are not valid."""
    hint: str
    header: str = "Authorization"
    """The header that holds the credentials."""


OF_TOKENS = Refusals(
    "too many requests without a good token came from your address",
    "this needs a token",
    "this token is not known here, or was revoked",
    _HINT,
)


class AuthenticatorChain:
    """The authenticators of an API in their order; the first that identifies the sender decides.

    `processes`: how many API processes there are; the limit of failures is for all of them together. Only invalid
    credentials are limited. A valid token is always accepted, even after many failures from its address, because all
    clients behind a proxy share one address.
    """

    def __init__(
        self,
        chain: Sequence[Authenticator],
        refusals: Refusals = OF_TOKENS,
        *,
        clock: Callable[[], float] = time.monotonic,
        processes: int = 1,
    ) -> None:
        self._chain = tuple(chain)
        self._refusals = refusals
        self._failures = Buckets(burst=20, per_second=1 / 3, clock=clock, processes=processes)

    def recognised(self, credentials: Credentials) -> Identity | None:
        """Returns the sender, or None if no authenticator recognises the credentials; does not count a failure."""
        with contextlib.suppress(CsrfMissing):
            return self._first(credentials)
        return None

    def _first(self, credentials: Credentials) -> Identity | None:
        """Returns the sender, or None if no authenticator recognises the credentials; raises CsrfMissing if they are
        only a session's cookie without its CSRF token.
        """
        missing: CsrfMissing | None = None
        for each in self._chain:
            try:
                found = each.identify(credentials)
            except CsrfMissing as error:
                missing = error
                continue
            if found is not None:
                return found
        if missing is not None:
            raise missing
        return None

    def count_failure(self, address: str) -> None:
        """Counts invalid credentials; raises TooManyRequests after many from one address."""
        wait = self._failures.take(address)
        if wait:
            raise TooManyRequests(self._refusals.many, hint=self._refusals.hint, retry_after=wait)

    def identify(self, credentials: Credentials) -> Identity:
        """Returns the sender; raises Unauthenticated, CsrfMissing, or TooManyRequests after many failures."""
        found = self._first(credentials)
        if found is not None:
            return found
        self.count_failure(credentials.address)
        known = credentials.headers.get(self._refusals.header) is not None
        raise Unauthenticated(self._refusals.unknown if known else self._refusals.none, hint=self._refusals.hint)


class Admission:
    """The right of a sender to continue to read a stream: every few seconds, its credentials are checked again."""

    def __init__(self, known: Callable[[], bool], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._known = known
        self._clock = clock
        self._looked = clock()
        self._holds = True

    def holds(self) -> bool:
        """Returns False once the credentials are no longer valid, such as a revoked token. While the database is
        unreachable, the last result is used.
        """
        if self._holds and self._clock() - self._looked >= CACHE_SECONDS:
            self._looked = self._clock()
            with contextlib.suppress(DatabaseDown):
                self._holds = self._known()
        return self._holds


class EveryoneIsAdmin:
    """The authenticator for NORN_AUTH=off: every sender is an admin without a name."""

    def identify(self, credentials: Credentials) -> Identity:
        """Returns the nameless admin."""
        return Identity(_EVERYONE_IS_ADMIN)


class BearerTokens:
    """Identifies senders by bearer tokens (RFC 6750), and remembers each token for a few seconds."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._known: RecentlySeen[Actor] = RecentlySeen(CACHE_SECONDS, clock)

    def identify(self, credentials: Credentials) -> Identity | None:
        """Returns the owner of the token in the Authorization header, or None without a valid token; raises
        DatabaseDown.
        """
        token = _bearer(credentials.headers.get("Authorization"))
        found = None if token is None else self._known.get(tokens.digest(token), self._find)
        return None if found is None else Identity(found)

    def forget(self) -> None:
        """Forgets every remembered token, because a token was revoked."""
        self._known.clear()

    def _find(self, hashed: str) -> Actor | None:
        with self._database.transaction() as tx:
            return tokens.lookup(tx, hashed)


def _bearer(header: str | None) -> str | None:
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and 0 < len(token) <= 200 else None
