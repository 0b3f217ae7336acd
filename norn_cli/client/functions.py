"""The endpoints of functions."""

from __future__ import annotations

from collections.abc import Mapping

from norn_cli.answers import Json
from norn_cli.client.transport import Transport, app_path


class FunctionsClient(Transport):
    """Functions: calls and their records."""

    def invoke(self, app: str, *, params: Mapping[str, str], body: bytes, headers: Mapping[str, str]) -> Json:
        """Calls a function; waits as long as the server does, unless the headers say respond-async."""
        return self._send("POST", app_path(app, "invoke"), params=params, content=body, headers=headers, patient=True)

    def calls(self, app: str, limit: int) -> Json:
        """Lists a function's calls, newest first."""
        return self._get(app_path(app, "function/history"), {"limit": limit})

    def call(self, execution: int) -> Json:
        """Reads one call."""
        return self._get(f"/api/invocations/{execution}")

    def cancel_call(self, execution: int) -> Json:
        """Asks a call to stop; returns its state."""
        return self._send("DELETE", f"/api/invocations/{execution}")

    def compare_calls(self, execution: int, other: int) -> Json:
        """Compares the answers of two calls."""
        return self._get(f"/api/invocations/{execution}/comparison/{other}")

    def replay(self, execution: int, release: int | None) -> Json:
        """Repeats a recorded call; returns the accepted job."""
        return self._send("POST", f"/api/invocations/{execution}/replay", json={"release": release})
