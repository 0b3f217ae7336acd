"""Who asks: turns a bearer token into an actor, and slows down who guesses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from norn_api.limits import Buckets
from norn_tasks.domain.access import Actor, Scope
from norn_tasks.domain.errors import TooManyRequests, Unauthenticated
from norn_tasks.store import tokens
from norn_tasks.store.session import Database

CACHE_SECONDS = 5.0
"""A revoked token may be good for so long in another API process."""

ANONYMOUS = Actor("anonymous")
_EVERYONE_IS_ADMIN = Actor("anonymous", frozenset({Scope.ADMIN}))
_MANY_TOKENS = 2_000
_HINT = "set NORN_TOKEN (over HTTP: `Authorization: Bearer norn_…`); an admin makes one: norn token create NAME"


class Authenticator:
    """Knows actors by their tokens, and remembers each for a few seconds.

    A good token always passes, whatever its address did before: behind a proxy all share one. Only failures are slowed.
    """

    def __init__(self, database: Database, *, off: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._off = off
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Actor, float]] = {}
        self._failures = Buckets(burst=20, per_second=1 / 3, clock=clock)

    def actor(self, header: str | None, address: str) -> Actor:
        """Answers who sent this Authorization header; raises Unauthenticated or TooManyRequests."""
        if self._off:
            return _EVERYONE_IS_ADMIN
        found = self._find(_bearer(header))
        if found is not None:
            return found
        wait = self._failures.take(address)
        if wait:
            sentence = "too many requests without a good token came from your address"
            raise TooManyRequests(sentence, hint=_HINT, retry_after=wait)
        if header is None:
            raise Unauthenticated("this needs a token", hint=_HINT)
        raise Unauthenticated("this token is not known here, or was revoked", hint=_HINT)

    def forget(self) -> None:
        """Forgets every remembered token: one was revoked."""
        with self._lock:
            self._known.clear()

    def _find(self, token: str | None) -> Actor | None:
        if token is None:
            return None
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
