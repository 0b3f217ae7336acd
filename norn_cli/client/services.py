"""The endpoints of shared services."""

from __future__ import annotations

from norn_cli.answers import Json
from norn_cli.client.transport import Transport, app_path


class ServicesClient(Transport):
    """Shared services: what apps were given, and new passwords."""

    def services(self, app: str | None) -> Json:
        """Lists what one app was given, or all."""
        return self._get("/api/services" if app is None else app_path(app, "services"))

    def snapshots(self, app: str) -> Json:
        """Lists the snapshots of an app's database."""
        return self._get(app_path(app, "snapshots"))

    def rotate_services(self, app: str) -> Json:
        """Requests new passwords; returns the accepted job."""
        return self._send("POST", app_path(app, "services/rotate"), json={})
