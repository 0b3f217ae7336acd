"""A server of 2 GiB under load: live apps, builds of other apps, and a cron app whose runs hang, all at the
same time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import docker

from tests.e2e import apps
from tests.e2e.stack import Stack, seconds_since
from tests.servers import allowed, wait_until

FOR_APPS = 1536 * 2**20
"""The bytes of memory that such a server has for apps: the value that `memory_for_apps` returns for it."""
ENVIRONMENT = {"NORN_ENGINE_MEMORY": str(FOR_APPS), "NORN_WORKERS_CRON": "4"}
LIVE = ("shop", "site", "docs")
SERVE = "httpd -f -p 8080 -h /www"


@dataclass(frozen=True)
class Seen:
    """The results: the duration of the rollback, which job waited for which, and the occurrences of the
    punctual app.
    """

    rollback: float
    deploying: int
    """The number of deploys that were still running when the rollback had ended."""
    waits: str
    occurrences: list[dict[str, Any]]
    hanging: int
    limits: set[int]
    """The memory limits of the replicas, read from the engine."""

    def told(self) -> str:
        """Returns the figures in one line."""
        late = max(each["late"] for each in self.occurrences)
        return (
            f"rollback {self.rollback:.1f} s beside {self.deploying} running deploys; {len(self.occurrences)} "
            f"occurrences, the latest began {late:.1f} s late, beside {self.hanging} runs that hang; last: {self.waits}"
        )


def live_apps(stack: Stack) -> None:
    """Deploys three webservers without a memory limit in their specs, and a second release of `shop`, so that it can be
    rolled back.
    """
    for app in LIVE:
        apps.add_web(stack, app, SERVE, "healthcheck: /\n")
        stack.norn("forge", app)
        stack.norn("deploy", app)
    (stack.apps / "shop" / "www" / "index.html").write_text("two\n")
    stack.norn("deploy", "shop")


def add_crons(stack: Stack, punctual: str) -> None:
    """Adds a cron app whose runs end immediately, and one whose runs hang and which starts another every two
    seconds.
    """
    small = "resources: {memory: 16m}\n"
    apps.add_cron(stack, "punctual", "true", small, schedule=punctual)
    apps.add_cron(stack, "hangs", "sleep 3600", f"{small}concurrency: allow\ntimeout: 1h\n", schedule="@every 2s")
    for app in ("punctual", "hangs"):
        stack.norn("forge", app)
        stack.norn("deploy", app)


def busy(stack: Stack, punctual: str, build_seconds: int, builds: int = 6) -> tuple[Seen, list[int]]:
    """Requests a rollback of `shop` while builds of other apps wait. Returns the results, and the jobs of the
    builds.
    """
    live_apps(stack)
    names = [f"build-{n}" for n in range(builds)]
    for app in names:
        apps.add_function(stack, app, apps.slow_build(build_seconds))
        stack.norn("forge", app)
    add_crons(stack, punctual)
    wait_until(lambda: hanging(stack) >= 3, allowed(60), "the runs hang")
    since = stack.rows("SELECT clock_timestamp() AS now")[0]["now"]
    jobs = [int(stack.json("deploy", app, "--detach")["job"]) for app in names]
    wait_until(lambda: builds_now(stack), allowed(60), "one of them builds")
    asked = time.monotonic()
    stack.norn("rollback", "shop")
    took = seconds_since(asked)
    deploying = stack.rows("SELECT count(*) AS n FROM jobs WHERE kind = 'deploy' AND state = 'running'")[0]["n"]
    waits = str(stack.json("jobs", "show", str(jobs[-1]))["waits"])
    stack.await_state(jobs[0], ["succeeded", "failed", "error"], allowed(60 + build_seconds))
    wait_until(lambda: len(occurrences(stack, since)) >= 2, allowed(150), "the punctual app came due twice")
    return Seen(took, deploying, waits, occurrences(stack, since), hanging(stack), limits(stack)), jobs


def hanging(stack: Stack) -> int:
    """Returns the number of hanging runs."""
    return int(stack.rows("SELECT count(*) AS n FROM jobs WHERE app = 'hangs' AND state = 'running'")[0]["n"])


def builds_now(stack: Stack) -> bool:
    """Returns True once a build has printed its second line."""
    return bool(stack.rows("SELECT 1 FROM step_logs WHERE step = 'build-image' AND chunk LIKE '%%building 2%%'"))


def occurrences(stack: Stack, since: object) -> list[dict[str, Any]]:
    """Returns verdict, state and delay of each decided occurrence of the punctual app that was due at least 30
    s ago.
    """
    return stack.rows(
        """SELECT k.verdict, x.state, extract(epoch FROM x.begun_at - k.scheduled_for)::float8 AS late
             FROM cron_ticks k LEFT JOIN cron_executions x ON x.id = k.execution
            WHERE k.app = 'punctual' AND k.scheduled_for > %s
              AND k.scheduled_for < clock_timestamp() - interval '30 s' ORDER BY k.scheduled_for""",
        since,
    )


def limits(stack: Stack) -> set[int]:
    """Returns the memory limits of all replicas, read from the engine."""
    client = docker.DockerClient(base_url=stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    instance = stack.rows("SELECT name FROM instance")[0]["name"]
    chosen = {"label": [f"norn.io/instance={instance}", "norn.io/generation"]}
    found = {int(each.attrs["HostConfig"]["Memory"]) for each in client.containers.list(filters=chosen)}
    client.close()
    return found
