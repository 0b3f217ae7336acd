"""The endpoints of secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def import_secrets(self, app: str, text: str) -> Json:
        """Sends an encrypted file; returns the accepted job that sets its secrets."""
        headers = {"Content-Type": "application/yaml"}
        return self._send("POST", app_path(app, "secrets/import"), content=text.encode(), headers=headers)

    def export_secrets(self, app: str, recipients: Sequence[str]) -> Json:
        """Requests an encrypted file of the app's secrets; returns the accepted job."""
        return self._send("POST", app_path(app, "secrets/export"), json={"recipients": list(recipients)})

    def exported_secrets(self, app: str, job: int) -> str:
        """Returns the file that the job has written."""
        return str(self._get(app_path(app, f"secrets/export/{job}"))["content"])

    def server_key(self) -> Json:
        """Returns the server's public key."""
        return self._get("/api/secrets/key")

    def rotate_key(self) -> Json:
        """Requests a new key for the server; returns the accepted job."""
        return self._send("POST", "/api/secrets/key/rotate", json={})
