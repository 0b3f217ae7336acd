"""Taking back a container whose start an earlier owner may still ask for: it is removed, and did it begin before that?

An owner that was frozen between `begin` and `start` wakes up at any moment, also between a look and a removal. So the
removal is by consent (the engine refuses it while the container runs), and the engine's events of that time say whether
there was a start in between. After the removal a late start is answered 404.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from docker import APIClient

from norn_tasks.adapters.engine import Engine
from norn_tasks.domain.errors import Conflict, NotFound
from norn_tasks.ports import Stop

_REMEMBERED = 200
"""The engine remembers its last 256 events: with more than this many the first may be forgotten."""


class Withdrawal:
    """One container's: made before the look that finds it not started."""

    def __init__(self, engine: Engine, container: str, stop: Stop) -> None:
        self._engine, self._container, self._stop = engine, container, stop
        self._since = engine.now(stop)

    def removed(self) -> bool:
        """Removes it; False when it runs, or somebody else removes it."""
        try:
            self._engine.patiently(lambda client: client.remove_container(self._container, v=True), self._stop)
        except (Conflict, NotFound):
            return False
        return True

    def never_started(self) -> bool:
        """True when the engine vouches that it was not started before it was removed."""
        events = self._engine.patiently(self._events, self._stop)
        mine = [event["Action"] for event in events if event["Actor"]["ID"] == self._container]
        return len(events) < _REMEMBERED and "destroy" in mine and "start" not in mine

    def _events(self, client: APIClient) -> list[dict[str, Any]]:
        until = datetime.fromisoformat(client.info()["SystemTime"])
        # A second earlier: what is too early is no harm, the container had not been started then.
        since = _moment(self._since - timedelta(seconds=1))
        return list(client.events(since, _moment(until), filters={"type": "container"}, decode=True))


def _moment(at: datetime) -> Any:
    """Answers a moment as the engine reads it: seconds with their fractions, which the client library would cut off."""
    return f"{at.timestamp():.6f}"
