"""The endpoints of apps."""

from __future__ import annotations

from collections.abc import Iterator

from norn_cli.client.transport import Json, Transport, app_path


class Apps(Transport):
    """Apps: specs, work, releases, logs."""

    def apps(self, *, hidden: bool = False) -> Json:
        """Lists all apps; `hidden` adds those that say `deploy: false`."""
        return self._all("/api/apps", {"all": 1} if hidden else {})

    def app(self, app: str, *, fresh: bool = False) -> Json:
        """Reads one app; `fresh` has the server look at the cluster first."""
        return self._get(app_path(app), {"fresh": 1} if fresh else {})

    def why(self, app: str) -> Json:
        """Reads what is live of an app, and what went wrong last."""
        return self._get(app_path(app, "why"))

    def apply(self, app: str, spec: str) -> Json:
        """Puts an infraspec's text as the app's own."""
        return self._send("PUT", app_path(app), content=spec.encode(), headers={"Content-Type": "text/yaml"})

    def put_source(self, app: str, archive: bytes) -> Json:
        """Uploads a packed source; answers what it is called."""
        return self._send("PUT", app_path(app, "source"), content=archive, headers={"Content-Type": "application/gzip"})

    def remove(self, app: str) -> None:
        """Deletes an app's row."""
        self._send("DELETE", app_path(app))

    def validate(self, spec: str, file: str) -> Json:
        """Has a spec checked without putting it anywhere."""
        return self._send("POST", "/api/validate", params={"file": file}, content=spec.encode(),
                          headers={"Content-Type": "text/yaml"})  # fmt: skip

    def work(self, app: str, verb: str, body: Json) -> Json:
        """Asks for forge, deploy, rollback, restart, scale or teardown; answers the accepted job."""
        return self._send("POST", app_path(app, verb), json=body)

    def run(self, app: str, command: list[str], timeout: int | None) -> Json:
        """Asks for a one-off command; answers the accepted job."""
        return self._send("POST", app_path(app, "run"), json={"command": command, "timeout": timeout})

    def oneoffs(self, app: str, limit: int) -> Json:
        """Lists an app's one-off commands, newest first."""
        return self._get(app_path(app, "runs"), {"limit": limit})

    def oneoff(self, execution: int) -> Json:
        """Reads one one-off command with its output."""
        return self._get(f"/api/runs/{execution}")

    def execute(self, app: str, body: Json) -> Json:
        """Asks for a program in a live replica; answers the accepted job."""
        return self._send("POST", app_path(app, "exec"), json=body)

    def exec_output(self, job: int) -> Iterator[Json]:
        """Reads what such a program writes, piece by piece, until its end; whoever stops reading ends it."""
        return self._objects(f"/api/execs/{job}/output", {}, beating=True)

    def exec_input(self, job: int, typed: Json) -> None:
        """Hands on what was typed."""
        self._send("POST", f"/api/execs/{job}/input", json=typed)

    def deployments(self, app: str, limit: int) -> Json:
        """Lists an app's deployments, newest first."""
        return self._get(app_path(app, "deployments"), {"limit": limit})

    def releases(self, app: str, limit: int) -> Json:
        """Lists an app's releases, newest first."""
        return self._get(app_path(app, "releases"), {"limit": limit})

    def app_logs(self, app: str, *, tail: int, follow: bool) -> Iterator[str]:
        """Reads an app's log line by line; with `follow` the stream stays open."""
        return self._lines(app_path(app, "logs"), _which(tail, follow), accept="text/plain")

    def app_log_lines(self, app: str, *, tail: int, follow: bool) -> Iterator[Json]:
        """Reads the same as objects with `source` and `line`."""
        return self._objects(app_path(app, "logs"), _which(tail, follow))


def _which(tail: int, follow: bool) -> Json:
    return {"tail": tail, **({"follow": 1} if follow else {})}
