"""The endpoints of shared services."""

from __future__ import annotations

from norn_cli.answers import Json
from norn_cli.client.transport import Transport, app_path


class ServicesClient(Transport):
    """The shared services of apps, and new passwords for them."""

    def services(self, app: str | None) -> Json:
        """Lists the shared services of one app, or of all apps."""
        return self._get("/api/services" if app is None else app_path(app, "services"))

    def rotate_services(self, app: str) -> Json:
        """Requests new passwords; returns the accepted job."""
        return self._send("POST", app_path(app, "services/rotate"), json={})
