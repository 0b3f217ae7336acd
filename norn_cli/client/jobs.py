"""The endpoints of jobs."""

from __future__ import annotations

from collections.abc import Iterator

from norn_cli.answers import Json
from norn_cli.client.transport import Transport
from norn_cli.sse import ServerEvent


class JobsClient(Transport):
    """Jobs: their state, their events, their output."""

    def jobs(self, limit: int, **filters: str) -> Json:
        """Lists jobs, newest first; filters are app, kind, state and class."""
        return self._get("/api/jobs", {"limit": limit, **filters})

    def job(self, job: int) -> Json:
        """Reads one job with its steps."""
        return self._get(f"/api/jobs/{job}")

    def cancel_job(self, job: int) -> Json:
        """Asks a job to stop."""
        return self._send("POST", f"/api/jobs/{job}/cancel", json={})

    def resolve_job(self, job: int, resolution: str) -> Json:
        """Continues or abandons a job that stopped inside a step which must not be repeated."""
        return self._send("POST", f"/api/jobs/{job}/resolve", json={"resolution": resolution})

    def job_events(self, job: int, after: str = "") -> Iterator[ServerEvent]:
        """Follows a job's events, starting after the event with the id `after`."""
        return self._events(f"/api/jobs/{job}/events", {}, after)

    def job_log(self, job: int, *, step: str = "") -> Iterator[str]:
        """Reads the output of a job's steps, line by line."""
        return self._lines(f"/api/jobs/{job}/logs", {"step": step} if step else {}, accept="text/plain")

    def job_log_pieces(self, job: int, *, step: str = "", follow: bool = True) -> Iterator[Json]:
        """Reads the output of a job's steps in chunks (`step`, `seq`, `at`, `stream`, `text`) until the job ends."""
        params = {**({"step": step} if step else {}), **({"follow": 1} if follow else {})}
        return self._objects(f"/api/jobs/{job}/logs", params, beating=follow)
