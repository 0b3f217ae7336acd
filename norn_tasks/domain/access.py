"""Callers and their rights: the scopes of tokens, and the actor that makes a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NAMELESS = "anonymous"
"""The name of callers without a token. No token may have this name. Calls belong to the name of their sender, so such a
token could read the calls of everybody without a token.
"""


class Scope(StrEnum):
    """A right of a token."""

    READ = "read"
    INVOKE = "invoke"
    DEPLOY = "deploy"
    ADMIN = "admin"

    @property
    def grants(self) -> frozenset[Scope]:
        """Returns this scope and every scope that it includes."""
        return _GRANTS[self]


_GRANTS = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.INVOKE: frozenset({Scope.INVOKE}),
    Scope.DEPLOY: frozenset({Scope.DEPLOY, Scope.READ, Scope.INVOKE}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True)
class Actor:
    """A caller: the name of the token, its scopes, and the apps to which it is limited (None: no limit)."""

    name: str
    scopes: frozenset[Scope] = frozenset()
    apps: frozenset[str] | None = None

    def may(self, scope: Scope) -> bool:
        """Returns True if one of the actor's scopes grants this scope; `admin` also requires access to every app."""
        if scope is Scope.ADMIN and self.apps is not None:
            return False
        return any(scope in own.grants for own in self.scopes)

    def reaches(self, app: str) -> bool:
        """Returns True if the actor has access to this app."""
        return self.apps is None or app in self.apps
