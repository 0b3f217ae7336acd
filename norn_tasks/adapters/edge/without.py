"""The adapter of a server without an edge."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.tunnel.external_host import SeenRoute
from norn_tasks.ports import Watch


@dataclass(frozen=True)
class NoEdge:
    """Implements `ports.Edge` for a server that has no edge, or whose names go through a tunnel."""

    def admit(self, app: str, host: str, watch: Watch) -> SeenRoute | None:
        """Returns None, because no edge exists."""
        return None

    def look(self, host: str) -> SeenRoute | None:
        """Returns None, because no edge exists."""
        return None
