"""The endpoints of the webhooks of repositories."""

from __future__ import annotations

from norn_cli.answers import Json
from norn_cli.client.transport import Transport


class WebhooksClient(Transport):
    """Webhooks of repositories, and their deliveries."""

    def webhooks(self) -> Json:
        """Lists the webhooks, without their secrets."""
        return self._get("/api/webhooks")

    def create_webhook(self, url: str) -> Json:
        """Makes the webhook of a repository; only this response shows its secret."""
        return self._send("POST", "/api/webhooks", json={"url": url})

    def rotate_webhook(self, webhook: int) -> Json:
        """Gives a webhook a new secret; only this response shows it."""
        return self._send("POST", f"/api/webhooks/{webhook}/rotate", json={})

    def remove_webhook(self, webhook: int) -> None:
        """Removes a webhook."""
        self._send("DELETE", f"/api/webhooks/{webhook}")

    def push_deliveries(self, webhook: int, limit: int) -> Json:
        """Lists the deliveries of a webhook, newest first."""
        return self._get(f"/api/webhooks/{webhook}/deliveries", {"limit": limit})

    def logins(self) -> Json:
        """Lists the logins of private repositories, without their tokens."""
        return self._get("/api/repositories")

    def set_login(self, body: Json) -> Json:
        """Sets the login of a private repository."""
        return self._send("PUT", "/api/repositories", json=body)

    def remove_login(self, login: int) -> None:
        """Removes the login of a private repository."""
        self._send("DELETE", f"/api/repositories/{login}")
