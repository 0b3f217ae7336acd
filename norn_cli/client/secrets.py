"""The endpoints of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from norn_cli.answers import Json
from norn_cli.client.transport import Transport, app_path


class SecretsClient(Transport):
    """Secrets: the server returns names, never values."""

    def secrets(self, app: str) -> Json:
        """Lists an app's secrets, and the names in its infraspec that have no value yet."""
        return self._get(app_path(app, "secrets"))

    def set_secrets(self, app: str, values: Mapping[str, str]) -> Json:
        """Sets secrets; returns the list of all secrets of the app."""
        return self._send("PUT", app_path(app, "secrets"), json={"values": dict(values)})

    def unset_secret(self, app: str, name: str) -> None:
        """Removes a secret."""
        self._send("DELETE", app_path(app, f"secrets/{quote(name, safe='')}"))
