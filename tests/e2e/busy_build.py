"""A build that uses every core, while health is requested and a schedule is due: measures the delay of both."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

import httpx

from tests.e2e import apps
from tests.e2e.stack import Stack
from tests.servers import wait_until

EVERY = 10
"""Seconds between two occurrences of the schedule."""


@dataclass(frozen=True)
class Seen:
    """The measurements during the build: the time and status of each health request, and how late each occurrence was
    decided.
    """

    health: list[float]
    statuses: set[int]
    lags: list[float]
    seconds: float

    def told(self) -> str:
        """Returns the figures in one line."""
        p50, p99, most = (1000 * self.percentile(percent) for percent in (50, 99, 100))
        return (
            f"{self.seconds:.0f} s of build: {len(self.health)} looks at health, p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
            f"most {most:.0f} ms; {len(self.lags)} ticks, the latest {max(self.lags):.2f} s late"
        )

    def percentile(self, percent: int) -> float:
        """Returns the duration of health requests at a percentile."""
        return sorted(self.health)[min(len(self.health) - 1, len(self.health) * percent // 100)]


def burn(seconds: int) -> str:
    """Returns a Dockerfile whose build keeps four loops running; the build is never taken from a cache."""
    loops = "for i in 1 2 3 4; do (while :; do :; done) & done"
    return f"FROM busybox:stable\nRUN : {uuid.uuid4()}; {loops}; sleep {seconds}; kill $(jobs -p) || true\n"


def watched(stack: Stack, seconds: int) -> Seen:
    """Measures health and a schedule while a build runs for some seconds."""
    apps.add_cron(stack, "ticking", "true", schedule=f"@every {EVERY}s")
    apps.add_function(stack, "burning", burn(seconds))
    for app in ("ticking", "burning"):
        stack.norn("forge", app)
    stack.norn("deploy", "ticking")
    job = int(stack.json("deploy", "burning", "--detach")["job"])
    wait_until(lambda: state_of(stack, job) == "running", 120, "the build burns")
    began, health, statuses = time.monotonic(), [], set()
    since = stack.rows("SELECT clock_timestamp() AS now")[0]["now"]
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        while state_of(stack, job) == "running":
            asked = time.monotonic()
            statuses.add(client.get("/api/health").status_code)
            health.append(time.monotonic() - asked)
            time.sleep(0.05)
    ticks = stack.rows(
        """SELECT extract(epoch FROM decided_at - scheduled_for)::float8 AS lag FROM cron_ticks
            WHERE app = 'ticking' AND scheduled_for > %s""",
        since,
    )
    return Seen(health, statuses, [tick["lag"] for tick in ticks], time.monotonic() - began)


def state_of(stack: Stack, job: int) -> str:
    """Returns the state of the build."""
    rows = stack.rows("SELECT state FROM steps WHERE job_id = %s AND name = 'build-image'", job)
    return rows[0]["state"] if rows else ""
