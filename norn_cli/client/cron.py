"""The endpoints of schedules."""

from __future__ import annotations

from norn_cli.answers import Json
from norn_cli.client.transport import Transport, app_path


class CronClient(Transport):
    """Schedules, their occurrences and their runs."""

    def schedules(self) -> Json:
        """Lists every schedule with its last occurrences."""
        return self._all("/api/cron", {"limit": 200})

    def cron(self, app: str) -> Json:
        """Reads an app's schedule."""
        return self._get(app_path(app, "cron"))

    def cron_next(self, app: str, count: int, **wanted: str) -> Json:
        """Reads the next times from `around` on; a `schedule` and a `timezone` replace those of the app."""
        return self._get(app_path(app, "cron/next"), {"n": count, **wanted})

    def cron_history(self, app: str, limit: int, **filters: str) -> Json:
        """Lists a schedule's occurrences with their verdicts, and manual runs, newest first; `verdict` filters them."""
        return self._get(app_path(app, "cron/history"), {"limit": limit, **filters})

    def cron_do(self, app: str, verb: str, body: Json) -> Json:
        """Triggers a run of the app, or pauses or resumes its schedule."""
        return self._send("POST", app_path(app, f"cron/{verb}"), json=body)

    def set_schedule(self, app: str, body: Json) -> Json:
        """Overrides the spec's schedule."""
        return self._send("PUT", app_path(app, "cron/schedule"), json=body)

    def clear_schedule(self, app: str) -> Json:
        """Removes the override."""
        return self._send("DELETE", app_path(app, "cron/schedule"))

    def cron_execution(self, app: str, execution: int) -> Json:
        """Reads one run with its output."""
        return self._get(app_path(app, f"cron/executions/{execution}"))
