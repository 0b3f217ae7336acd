"""The endpoints of alerts, and of the destinations of notifications."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from norn_cli.answers import Json
from norn_cli.client.transport import Transport


class AlertsClient(Transport):
    """Alerts and notifications."""

    def alerts(self, limit: int, **filters: Any) -> Json:
        """Lists alerts, newest first; filters are app, kind and all."""
        return self._get("/api/alerts", {"limit": limit, **filters})

    def destinations(self) -> Json:
        """Lists the destinations of notifications, without secrets."""
        return self._get("/api/notifications")

    def add_destination(self, body: Json) -> Json:
        """Adds a destination; only this response shows its secret."""
        return self._send("POST", "/api/notifications", json=body)

    def remove_destination(self, name: str) -> None:
        """Removes a destination."""
        self._send("DELETE", _path(name))

    def test_destination(self, name: str) -> Json:
        """Sends a test notification; returns the accepted job."""
        return self._send("POST", _path(name) + "/test", json={})

    def deliveries(self, name: str, limit: int) -> Json:
        """Lists the deliveries of a destination, newest first."""
        return self._get(_path(name) + "/deliveries", {"limit": limit})


def _path(name: str) -> str:
    return f"/api/notifications/{quote(name, safe='')}"
