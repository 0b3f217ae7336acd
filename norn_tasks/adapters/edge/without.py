"""A server without an edge."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.tunnel.external_host import SeenRoute
from norn_tasks.ports import Watch


@dataclass(frozen=True)
class NoEdge:
    """Implements `ports.Edge` where none is configured, or where a tunnel has the names."""

    def admit(self, app: str, host: str, watch: Watch) -> SeenRoute | None:
        """Admits nothing."""
        return None

    def look(self, host: str) -> SeenRoute | None:
        """Looks at nothing."""
        return None
