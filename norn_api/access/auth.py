"""Authenticators: each recognises one kind of credentials. The chain asks them in order and slows down guessing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from werkzeug.datastructures import Headers

from norn_api.access.limits import Buckets
from norn_tasks.domain.access import Actor, Scope
from norn_tasks.domain.errors import DatabaseDown, TooManyRequests, Unauthenticated
from norn_tasks.store.access import tokens
from norn_tasks.store.database.session import Database

CACHE_SECONDS = 5.0
"""The longest time for which another API process still accepts a token after it was revoked."""

ANONYMOUS = Actor("anonymous")
_EVERYONE_IS_ADMIN = Actor("anonymous", frozenset({Scope.ADMIN}))
_MANY_TOKENS = 2_000
"""How many tokens are remembered before the oldest is forgotten."""
_HINT = "set NORN_TOKEN (over HTTP: `Authorization: Bearer norn_…`); an admin makes one: norn token create NAME"


@dataclass(frozen=True)
class Credentials:
    """The parts of a request that can identify its sender."""

    headers: Headers
    """The headers of the request."""
    address: str
    """The address of the client's connection."""
    body: Callable[[], bytes]
    """Reads the raw body, for a signature over it."""


@dataclass(frozen=True)
class Identity:
    """The sender of a request."""

    actor: Actor
    """Its name, scopes and apps."""
    signed: bool = False
    """True if a signature over the body proved it; routes with a `signed` permission accept no other identity."""


class Authenticator(Protocol):
    """Recognises one kind of credentials."""

    def identify(self, credentials: Credentials) -> Identity | None:
        """Returns the sender; None if the request has no valid credentials of this kind."""


class AuthenticatorChain:
    """The authenticators of an API in their order; the first that identifies the sender decides.

    A valid token always passes, whatever its address did before: all clients behind a proxy share one. Only failures
    are slowed down.
    """

    def __init__(self, chain: Sequence[Authenticator], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._chain = tuple(chain)
        self._failures = Buckets(burst=20, per_second=1 / 3, clock=clock)

    def recognised(self, credentials: Credentials) -> Identity | None:
        """Returns the sender; None for one that nobody knows, which counts as no failure here."""
        return next((found for each in self._chain if (found := each.identify(credentials)) is not None), None)

    def identify(self, credentials: Credentials) -> Identity:
        """Returns the sender; raises Unauthenticated, or TooManyRequests after many failures."""
        found = self.recognised(credentials)
        if found is not None:
            return found
        wait = self._failures.take(credentials.address)
        if wait:
            sentence = "too many requests without a good token came from your address"
            raise TooManyRequests(sentence, hint=_HINT, retry_after=wait)
        if credentials.headers.get("Authorization") is None:
            raise Unauthenticated("this needs a token", hint=_HINT)
        raise Unauthenticated("this token is not known here, or was revoked", hint=_HINT)


class Admission:
    """The right of a sender to go on reading a stream: its token is looked at again every few seconds."""

    def __init__(self, known: Callable[[], bool], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._known = known
        self._clock = clock
        self._looked = clock()
        self._holds = True

    def holds(self) -> bool:
        """Returns False once the token was revoked. While the database is away, the last answer counts."""
        if self._holds and self._clock() - self._looked >= CACHE_SECONDS:
            self._looked = self._clock()
            with contextlib.suppress(DatabaseDown):
                self._holds = self._known()
        return self._holds


class EveryoneIsAdmin:
    """The authenticator of NORN_AUTH=off: every sender is an admin without a name."""

    def identify(self, credentials: Credentials) -> Identity:
        """Returns the nameless admin."""
        return Identity(_EVERYONE_IS_ADMIN)


class BearerTokens:
    """Identifies senders by bearer tokens (RFC 6750), and remembers each token for a few seconds."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Actor, float]] = {}

    def identify(self, credentials: Credentials) -> Identity | None:
        """Returns the owner of the token in the Authorization header; raises DatabaseDown."""
        token = _bearer(credentials.headers.get("Authorization"))
        found = None if token is None else self._find(token)
        return None if found is None else Identity(found)

    def forget(self) -> None:
        """Forgets every remembered token, because one was revoked."""
        with self._lock:
            self._known.clear()

    def _find(self, token: str) -> Actor | None:
        hashed = tokens.digest(token)
        with self._lock:
            known, until = self._known.get(hashed, (None, 0.0))
        if self._clock() < until:
            return known
        with self._database.transaction() as tx:
            found = tokens.lookup(tx, hashed)
        if found is not None:
            self._remember(hashed, found)
        return found

    def _remember(self, hashed: str, found: Actor) -> None:
        with self._lock:
            if len(self._known) >= _MANY_TOKENS:
                self._known.clear()
            self._known[hashed] = (found, self._clock() + CACHE_SECONDS)


def _bearer(header: str | None) -> str | None:
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and 0 < len(token) <= 200 else None
