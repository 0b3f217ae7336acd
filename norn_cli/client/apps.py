"""The endpoints of apps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from norn_cli.answers import Json
from norn_cli.client.transport import Transport, app_path


class AppsClient(Transport):
    """Apps: specs, work, releases, logs."""

    def apps(self, *, hidden: bool = False, role: str | None = None, core: bool | None = None) -> Json:
        """Lists apps; `hidden` adds apps with `deploy: false`, and `role` and `core` filter by fields of the spec."""
        chosen = {"all": 1 if hidden else None, "role": role, "core": None if core is None else str(core).lower()}
        return self._all("/api/apps", {name: value for name, value in chosen.items() if value is not None})

    def app(self, app: str, *, fresh: bool = False) -> Json:
        """Reads one app; with `fresh` the server observes the cluster first."""
        return self._get(app_path(app), {"fresh": 1} if fresh else {})

    def why(self, app: str) -> Json:
        """Reads why an app is not as it should be: its live release and its last failures."""
        return self._get(app_path(app, "why"))

    def health_checks(self, app: str, limit: int) -> Json:
        """Lists the last states of a webserver or worker."""
        return self._get(app_path(app, "health-checks"), {"limit": limit})

    def apply(self, app: str, spec: str) -> Json:
        """Sets the app's infraspec."""
        return self._send("PUT", app_path(app), content=spec.encode(), headers={"Content-Type": "text/yaml"})

    def put_source(self, app: str, archive: bytes) -> Json:
        """Uploads a packed source; returns its revision."""
        return self._send("PUT", app_path(app, "source"), content=archive, headers={"Content-Type": "application/gzip"})

    def remove(self, app: str) -> None:
        """Removes an app from the server."""
        self._send("DELETE", app_path(app))

    def validate(self, spec: str, file: str) -> Json:
        """Checks a spec without keeping it."""
        return self._send("POST", "/api/validate", params={"file": file}, content=spec.encode(),
                          headers={"Content-Type": "text/yaml"})  # fmt: skip

    def validate_for(self, app: str, spec: str, file: str) -> Json:
        """Checks a spec of an app without keeping it, and compares it with the app's secrets."""
        return self._send("POST", app_path(app, "validate"), params={"file": file}, content=spec.encode(),
                          headers={"Content-Type": "text/yaml"})  # fmt: skip

    def plan(self, app: str) -> Json:
        """Reads the changes that a forge and a deploy of the registered infraspec would make."""
        return self._get(app_path(app, "plan"))

    def plan_of(self, app: str, spec: str, file: str) -> Json:
        """Reads the changes that a forge and a deploy of this infraspec would make, without registering it."""
        return self._send("POST", app_path(app, "plan"), params={"file": file}, content=spec.encode(),
                          headers={"Content-Type": "text/yaml"})  # fmt: skip

    def drift(self, app: str) -> Json:
        """Reads the last comparison of the running app with its live release."""
        return self._get(app_path(app, "drift"))

    def work(self, app: str, verb: str, body: Json) -> Json:
        """Requests forge, deploy, rollback, restart, scale, drift or teardown; returns the accepted job."""
        return self._send("POST", app_path(app, verb), json=body)

    def begin_maintenance(self, app: str, body: Json) -> None:
        """Shows visitors of the app's public name a page instead of the app."""
        self._send("PUT", app_path(app, "maintenance"), json=body)

    def end_maintenance(self, app: str) -> None:
        """Shows visitors the app again."""
        self._send("DELETE", app_path(app, "maintenance"))

    def run(self, app: str, command: list[str], timeout: int | None, **attached: Any) -> Json:
        """Requests a one-off command; returns the accepted job. `attached` connects it to this client."""
        return self._send("POST", app_path(app, "run"), json={"command": command, "timeout": timeout, **attached})

    def oneoffs(self, app: str, limit: int) -> Json:
        """Lists an app's one-off commands, newest first."""
        return self._get(app_path(app, "runs"), {"limit": limit})

    def oneoff(self, execution: int) -> Json:
        """Reads one one-off command with its output."""
        return self._get(f"/api/runs/{execution}")

    def execute(self, app: str, body: Json) -> Json:
        """Asks to run a program in a live replica; returns the accepted job."""
        return self._send("POST", app_path(app, "exec"), json=body)

    def exec_output(self, job: int) -> Iterator[Json]:
        """Reads the program's output in chunks until it ends; the program is stopped when the reader leaves."""
        return self._objects(f"/api/execs/{job}/output", {}, beating=True)

    def exec_input(self, job: int, typed: Json) -> None:
        """Sends the user's input to the program."""
        self._send("POST", f"/api/execs/{job}/input", json=typed)

    def deployments(self, app: str, limit: int) -> Json:
        """Lists an app's deployments, newest first."""
        return self._get(app_path(app, "deployments"), {"limit": limit})

    def specs(self, app: str, limit: int) -> Json:
        """Lists the infraspecs that were applied to an app, newest first."""
        return self._get(app_path(app, "specs"), {"limit": limit})

    def releases(self, app: str, limit: int) -> Json:
        """Lists an app's releases, newest first."""
        return self._get(app_path(app, "releases"), {"limit": limit})

    def app_logs(self, app: str, wanted: Json) -> Iterator[str]:
        """Reads an app's last lines; `wanted` are the parameters of the endpoint."""
        return self._lines(app_path(app, "logs"), wanted, accept="text/plain", beating=True)

    def app_log_lines(self, app: str, wanted: Json) -> Iterator[Json]:
        """Reads an app's log as objects with `source`, `line` and `at`; with `follow` the stream stays open."""
        return self._objects(app_path(app, "logs"), wanted, beating=True)
