"""The endpoints of the server itself."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from norn_cli.answers import Json
from norn_cli.client.transport import Transport, read_object
from norn_cli.sse import ServerEvent


class ServerClient(Transport):
    """The server: health, workers, tokens, events."""

    def health(self) -> Json:
        """Reads the server's health; a server that is down returns an object with the same fields."""
        response = self._exchange("GET", "/api/health")
        if response.status_code == 503 and "problem" not in response.headers.get("content-type", ""):
            return read_object(response.text, self.profile.url)
        return self._answer(response)

    def doctor(self) -> Json:
        """Reads the server's check-up; a server that is down returns an object with the same fields."""
        response = self._exchange("GET", "/api/doctor")
        if response.status_code == 503 and "problem" not in response.headers.get("content-type", ""):
            return read_object(response.text, self.profile.url)
        return self._answer(response)

    def version(self) -> Json:
        """Reads the server's version."""
        return self._get("/api/version")

    def workers(self) -> Json:
        """Lists the workers."""
        return self._get("/api/workers")

    def drain_worker(self, name: str) -> Json:
        """Drains a worker."""
        return self._send("POST", f"/api/workers/{quote(name, safe='')}/drain", json={})

    def tokens(self) -> Json:
        """Lists the tokens, without their secrets."""
        return self._all("/api/tokens", {})

    def create_token(self, body: Json) -> Json:
        """Creates a token; only this response shows it."""
        return self._send("POST", "/api/tokens", json=body)

    def revoke_token(self, token: int) -> None:
        """Revokes a token."""
        self._send("DELETE", f"/api/tokens/{token}")

    def session(self) -> Json:
        """Reads the name and the scopes under which the server knows this client."""
        return self._get("/api/session")

    def create_sign_in_code(self) -> Json:
        """Creates a code that signs one browser in."""
        return self._send("POST", "/api/session/codes")

    def sessions(self) -> Json:
        """Lists the browsers that are signed in."""
        return self._get("/api/sessions")

    def revoke_session(self, session: int) -> None:
        """Signs a browser out."""
        self._send("DELETE", f"/api/sessions/{session}")

    def settings(self) -> Json:
        """Lists the settings of the server."""
        return self._get("/api/settings")

    def events(self, limit: int, **filters: str) -> Json:
        """Lists events; filters are app and job."""
        return self._get("/api/events", {"limit": limit, **filters})

    def follow_events(self, app: str, after: str = "") -> Iterator[ServerEvent]:
        """Follows the events of one app, or of all apps, starting after the event with the id `after`, or now."""
        return self._events("/api/events/stream", {"app": app} if app else {}, after)
