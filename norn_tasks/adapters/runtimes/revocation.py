"""Removes a container that a previous owner (a worker that held the run's job) may still be about to start, and finds
out whether it was started.

An owner that was frozen between `begin` and `start` may wake up at any moment, even between the check of the container
and its removal. So the container is removed without force: the engine refuses that while the container runs. The
engine's events then show whether the container was started in between. After the removal, a late start fails with 404.

If the engine was killed just after it had started the code, the event of the start is lost, and the engine reports that
the container never started. But the engine still knows the path of the container's log, and a container gets that path
only when it starts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.domain.errors import Conflict, NotFound
from norn_tasks.ports import Stop

_REMEMBERED = 200
"""The engine keeps its last 256 events. If it returns at least this many, earlier events may be missing."""


class Revocation:
    """Removes one container. Create this object before the container is checked, because it reads the engine's events
    from the moment of its own creation on.
    """

    def __init__(self, engine: EngineClient, container: str, stop: Stop) -> None:
        self._engine, self._container, self._stop = engine, container, stop
        self._since = engine.now(stop)
        self._has_log = False

    def removed(self) -> bool:
        """Removes the container; returns False if it runs, or if another process has removed it."""
        try:
            found = self._engine.patiently(lambda client: client.inspect_container(self._container), self._stop)
            self._has_log = bool(found.get("LogPath"))
            self._engine.patiently(lambda client: client.remove_container(self._container, v=True), self._stop)
        except (Conflict, NotFound):
            return False
        return True

    def never_started(self) -> bool:
        """Returns True if the engine's events prove that the container was removed without having started."""
        if self._has_log:
            return False
        events = self._engine.patiently(self._events, self._stop)
        mine = [event["Action"] for event in events if event["Actor"]["ID"] == self._container]
        return len(events) < _REMEMBERED and "destroy" in mine and "start" not in mine

    def _events(self, client: APIClient) -> list[dict[str, Any]]:
        until = datetime.fromisoformat(client.info()["SystemTime"])
        # Reading from one second earlier is safe, because the container had not started then.
        since = _moment(self._since - timedelta(seconds=1))
        return list(client.events(since, _moment(until), filters={"type": "container"}, decode=True))


def _moment(at: datetime) -> Any:
    """Returns a time as seconds with a fraction, because the client library drops the fraction of a datetime."""
    return f"{at.timestamp():.6f}"
