"""Shared services of an app: databases, key-value namespaces, topics, buckets."""

from __future__ import annotations

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.steps.step import NotThereYet


class ProvisionServices(NotThereYet):
    """Says which of the services that an app asks for are not there yet; the app runs without them."""

    name = "provision-services"

    def skip_reason(self, spec: Infraspec) -> str:
        """Names what was asked for."""
        asked = [kind for kind in ("postgres", "kv", "events", "storage") if getattr(spec.services, kind) is not None]
        if not asked:
            return "no services asked for"
        return f"shared services are not there yet: {', '.join(asked)}"
