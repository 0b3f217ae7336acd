"""The endpoints of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from norn_cli.client.transport import Json, Transport, app_path


class Secrets(Transport):
    """Secrets: names come back, values never do."""

    def secrets(self, app: str) -> Json:
        """Lists an app's secrets, with those that its infraspec names and nobody has set."""
        return self._get(app_path(app, "secrets"))

    def set_secrets(self, app: str, values: Mapping[str, str]) -> Json:
        """Sets secrets, and lists all."""
        return self._send("PUT", app_path(app, "secrets"), json={"values": dict(values)})

    def unset_secret(self, app: str, name: str) -> None:
        """Takes a secret away."""
        self._send("DELETE", app_path(app, f"secrets/{quote(name, safe='')}"))
