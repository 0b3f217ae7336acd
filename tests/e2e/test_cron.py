"""Cron from the CLI to the container: runs by hand, pause, a new schedule, and a worker that is killed under its runs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import docker
import pytest

from tests.e2e import apps
from tests.e2e.stack import Stack
from tests.servers import wait_until

pytestmark = pytest.mark.timeout(200)

LINES = 44
"""Seconds that the long run takes: longer than a lease and the sweeper's turn, so that it is adopted while it runs."""

COUNTS = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; echo err $i >&2; sleep 1; done; echo the end"
ENDS = ("succeeded", "failed", "error", "dead", "cancelled", "expired")


def _deploy(stack: Stack, name: str, command: str, more: str = "") -> None:
    apps.add_cron(stack, name, command, more)
    stack.norn("forge", name)
    stack.norn("deploy", name)


def _run(stack: Stack, name: str) -> int:
    """Begins a run by hand; answers its job."""
    return int(stack.json("cron", "run", name, "--detach")["job"])


def _execution(stack: Stack, job: int) -> dict[str, Any]:
    return stack.rows("SELECT * FROM cron_executions WHERE job_id = %s", job)[0]


def _containers(owner: str = "") -> list[Any]:
    client = docker.DockerClient(base_url=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    try:
        return client.containers.list(all=True, filters={"label": f"norn.io/owner={owner}"})
    finally:
        client.close()


def _ended_in_the_engine(stack: Stack, job: int) -> bool:
    found = [each for each in _containers(f"execution:{stack.job(job)['execution']}") if each.status == "exited"]
    return bool(found)


# A worker that is killed under its runs


@dataclass(frozen=True)
class Killed:
    """The jobs whose worker was killed: one whose container goes on for long, one whose container ends meanwhile."""

    long: int
    short: int


@pytest.fixture(scope="module")
def killed(stack: Stack) -> Iterator[Killed]:
    """Two runs whose worker got `kill -9`, after both have ended."""
    _deploy(stack, "long", COUNTS)
    _deploy(stack, "short", "echo out; echo err >&2; sleep 4; exit 3")
    jobs = Killed(_run(stack, "long"), _run(stack, "short"))
    for job in (jobs.long, jobs.short):
        wait_until(lambda job=job: _containers_begun(stack, job), 30, "the code has begun")
    stack.kill("cron")
    wait_until(lambda: _ended_in_the_engine(stack, jobs.short), 30, "the short run's container has ended")
    stack.spawn("cron", "cron")
    for job in (jobs.short, jobs.long):
        stack.await_state(job, ENDS, 75)
    yield jobs
