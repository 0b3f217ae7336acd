"""Who asks, and how far they reach: scopes of tokens, and the actor that stands in every row a request leaves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token may do."""

    READ = "read"
    INVOKE = "invoke"
    DEPLOY = "deploy"
    ADMIN = "admin"

    @property
    def grants(self) -> frozenset[Scope]:
        """Every scope that comes with this one, itself included."""
        return _GRANTS[self]


_GRANTS = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.INVOKE: frozenset({Scope.INVOKE}),
    Scope.DEPLOY: frozenset({Scope.DEPLOY, Scope.READ, Scope.INVOKE}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True)
class Actor:
    """Who asks: the token's name, its scopes, and the apps it is limited to (None: every app)."""

    name: str
    scopes: frozenset[Scope] = frozenset()
    apps: frozenset[str] | None = None

    def may(self, scope: Scope) -> bool:
        """True when one of the actor's scopes grants this one; admin is of the whole server, and of no fewer apps."""
        if scope is Scope.ADMIN and self.apps is not None:
            return False
        return any(scope in own.grants for own in self.scopes)

    def reaches(self, app: str) -> bool:
        """True when the actor may touch this app."""
        return self.apps is None or app in self.apps
