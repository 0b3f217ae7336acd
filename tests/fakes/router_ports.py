"""The router's ports in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from norn_tasks.domain.jobs.job import Fence


@dataclass
class FakeRouterPorts:
    """Implements `ports.RouterPorts`. Look at `given`, and at `led`, the entrances of moved apps."""

    given: dict[str, int] = field(default_factory=dict)
    led: dict[str, str] = field(default_factory=dict)

    def reserve(self, app: str, fence: Fence) -> int:
        """Returns the app's port, or a new one."""
        return self.given.setdefault(app, 18800 + len(self.given))

    def release(self, app: str, fence: Fence) -> None:
        """Frees the app's port."""
        self.given.pop(app, None)
        self.led.pop(app, None)

    def lead(self, app: str, entrance: str, fence: Fence) -> int | None:
        """Leads the requests of an app that is in `led` elsewhere."""
        if app not in self.led:
            return None
        self.led[app] = entrance
        return self.given[app]
