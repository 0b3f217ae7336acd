"""Callers and their rights: the scopes of tokens, and the actor that every row of a request records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NAMELESS = "anonymous"
"""The name of callers without a token; no token has it, because calls belong to the name of their sender."""


class Scope(StrEnum):
    """A right of a token."""

    READ = "read"
    INVOKE = "invoke"
    DEPLOY = "deploy"
    ADMIN = "admin"

    @property
    def grants(self) -> frozenset[Scope]:
        """Every scope that this one includes, itself among them."""
        return _GRANTS[self]


_GRANTS = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.INVOKE: frozenset({Scope.INVOKE}),
    Scope.DEPLOY: frozenset({Scope.DEPLOY, Scope.READ, Scope.INVOKE}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True)
class Actor:
    """A caller: the token's name, its scopes, and the apps that it is limited to (None: every app)."""

    name: str
    scopes: frozenset[Scope] = frozenset()
    apps: frozenset[str] | None = None

    def may(self, scope: Scope) -> bool:
        """Returns True if one of the actor's scopes grants this one; admin requires access to every app."""
        if scope is Scope.ADMIN and self.apps is not None:
            return False
        return any(scope in own.grants for own in self.scopes)

    def reaches(self, app: str) -> bool:
        """Returns True if the actor has access to this app."""
        return self.apps is None or app in self.apps
