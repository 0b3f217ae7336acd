"""Deploys whose worker dies or drains: another worker resumes the job, it ends `deployed`, and exactly one image and no
orphan is left.
"""

from __future__ import annotations

import signal
import time

import docker
import pytest

from tests.e2e import apps
from tests.e2e.stack import Stack, seconds_since
from tests.servers import allowed, wait_until

ENVIRONMENT = {"NORN_WORKERS_DEPLOY": "2"}
SECOND = "deploy-2"


def _client(stack: Stack) -> docker.DockerClient:
    return docker.DockerClient(base_url=stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))


def _images(stack: Stack, app: str) -> int:
    return len(_client(stack).images.list(filters={"label": f"norn.io/app={app}"}))


def _build_containers(stack: Stack, app: str) -> list[str]:
    """Returns the containers of an app's builds; the number of seconds in their command identifies the app."""
    listed = _client(stack).containers.list(all=True, ignore_removed=True)
    return [c.id for c in listed if f"i -lt {_SECONDS[app]}" in str(c.attrs["Config"]["Cmd"])]


_SECONDS = {"killed": 21, "killed-group": 22, "drained": 41}


def _deploy(stack: Stack, app: str) -> int:
    apps.add_function(stack, app, apps.slow_build(_SECONDS[app]))
    stack.norn("forge", app)
    return int(stack.json("deploy", app, "--detach")["job"])


def _building(stack: Stack, job: int) -> bool:
    query = "SELECT 1 FROM step_logs WHERE job_id = %s AND step = 'build-image' AND chunk LIKE %s"
    return bool(stack.rows(query, job, "%building 3%"))


def _deployed(stack: Stack, app: str, job: int, seconds: float) -> None:
    row = stack.await_state(job, ["succeeded", "failed", "dead", "error", "superseded"], seconds)
    assert (row["state"], row["error"]) == ("succeeded", None)
    states = stack.rows("SELECT state FROM deployments WHERE app = %s", app)
    assert [each["state"] for each in states] == ["deployed"]


@pytest.mark.parametrize(("app", "group"), [("killed", False), ("killed-group", True)])
def test_kill_9_of_the_deploy_worker_in_the_middle_of_a_build(stack: Stack, app: str, group: bool) -> None:
    job = _deploy(stack, app)
    wait_until(lambda: _building(stack, job), allowed(40), "the build is under way")
    killed = time.monotonic()
    if group:
        stack.kill_group("deploy")
    else:
        stack.kill("deploy")
    stack.spawn("deploy", "deploy")
    _deployed(stack, app, job, allowed(75) - seconds_since(killed))
    assert _images(stack, app) == 1
    wait_until(lambda: not _build_containers(stack, app), allowed(10), "no build goes on")
    assert stack.norn("invoke", app, "--body", "x").stdout == b"x"


def test_sigterm_in_the_middle_of_a_build_hands_it_back(stack: Stack) -> None:
    """The worker is gone after 40 s at most, and another one ends the deploy. Handing the job back did not use up an
    attempt.
    """
    job = _deploy(stack, "drained")
    wait_until(lambda: _building(stack, job), allowed(40), "the build is under way")
    stack.spawn("deploy", SECOND)
    termed = time.monotonic()
    stack.kill("deploy", signal.SIGTERM)
    wait_until(lambda: stack.processes["deploy"].poll() is not None, allowed(40), "the worker is gone")
    gone = seconds_since(termed)
    stack.spawn("deploy", "deploy")
    _deployed(stack, "drained", job, allowed(120))
    row = stack.job(job)
    assert (row["claims"], gone < allowed(40)) == (1, True)
    stack.kill(SECOND)
