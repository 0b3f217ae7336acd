"""A fake in memory of the ports that the router opens for apps."""

from __future__ import annotations

from dataclasses import dataclass, field

from norn_tasks.domain.jobs.job import Fence


@dataclass
class FakeRouterPorts:
    """A fake of `ports.RouterPorts`. Tests read `given` (the ports), and set `led`, the entrances of apps that moved to
    another cluster.
    """

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
        """Sends the requests of an app in `led` to its new entrance, and returns the app's port; returns None for any
        other app.
        """
        if app not in self.led:
            return None
        self.led[app] = entrance
        return self.given[app]
