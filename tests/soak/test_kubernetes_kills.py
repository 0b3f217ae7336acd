"""Workers that die or freeze in a rollout on a real Kubernetes cluster: the job ends, and the newest release is live.

A frozen worker goes on when another one has ended its job, and a later deploy is live: it must not write anything. A
command of `norn run` goes on without its worker, and begins at most once.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import BIN, Stack
from tests.e2e.test_kubernetes import deployment, kube, namespace, write
from tests.e2e.zombies import children, frozen
from tests.kube import KubeKit
from tests.servers import Broker, Postgres, allowed, wait_until

ENDS = ("succeeded", "failed", "error", "dead", "superseded", "expired", "cancelled")
PLACES = [
    ("rollout-image", "before"),
    ("rollout-image", "effect"),
    ("await-rollout", "before"),
    ("await-rollout", "effect"),
]
WATCHED = 10
"""Seconds for which a worker that goes on is watched."""
SPEC = """app: shop
role: webserver
port: 8080
command: sh -c 'trap "exit 0" TERM; httpd -f -p 8080 -h /www & wait'
healthcheck: /health
resources: {{memory: 32m}}
env: {{COLOUR: {colour}}}
"""

__all__ = ["kube", "namespace"]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def norn(kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A whole Norn with short leases, and an app that is live."""
    home = private_dir / "kills"
    home.mkdir()
    broker = Broker(home / "broker")
    environment = {
        "NORN_KUBE_NAMESPACE": namespace, "NORN_KUBE_CONFIG": str(kube.of_norn(namespace, home / "kubeconfig")),
        "NORN_REGISTRY_URL": kube.environment["NORN_REGISTRY_URL"], "NORN_LEASE_SECONDS": "4",
        "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3", "NORN_WORKERS_DEPLOY": "2",
    }  # fmt: skip
    stack = new_stack(postgres, broker.url, home, **environment)
    try:
        stack.start()
        write(stack, "shop", SPEC.format(colour="white"), "one")
        stack.norn("forge", "shop")
        stack.norn("deploy", "shop")
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


def ended(stack: Stack, job: int) -> str:
    """Waits for the end of a job and returns its state; a job that does not end shows its steps."""
    try:
        return str(stack.await_state(job, ENDS, allowed(75))["state"])
    except AssertionError as error:
        raise AssertionError(f"{error}\n{stack.norn('jobs', 'show', str(job)).stdout.decode()}") from None


def deploy(stack: Stack, colour: str) -> int:
    """Requests a deploy of a changed spec; returns the job."""
    write(stack, "shop", SPEC.format(colour=colour), "one")
    return int(stack.json("deploy", "shop", "--detach")["job"])


def colour(kube: KubeKit, namespace: str) -> str:
    """The value that the Deployment's pods get."""
    env = deployment(kube, namespace, "shop")["spec"]["template"]["spec"]["containers"][0]["env"]
    return next(str(each["value"]) for each in env if each["name"] == "COLOUR")


@pytest.mark.parametrize(("step", "point"), PLACES)
def test_a_killed_worker_is_followed_by_one_that_ends_the_job(
    norn: Stack, kube: KubeKit, namespace: str, step: str, point: str
) -> None:
    norn.kill_group("deploy")
    norn.spawn("deploy", "dying", NORN_TEST_BUILD="1", NORN_FAILPOINT=f"{step}:{point}:kill")
    job = deploy(norn, f"killed-{step}-{point}")
    wait_until(lambda: norn.processes["dying"].poll() is not None, allowed(150), "the worker has died")
    norn.spawn("deploy")
    assert (ended(norn, job), colour(kube, namespace)) == ("succeeded", f"killed-{step}-{point}")


@pytest.mark.parametrize(("step", "point"), PLACES)
def test_a_frozen_worker_overwrites_no_later_release(
    norn: Stack, kube: KubeKit, namespace: str, step: str, point: str
) -> None:
    norn.kill_group("deploy")
    zombie = norn.spawn("deploy", "zombie", NORN_TEST_BUILD="1", NORN_FAILPOINT=f"{step}:{point}:stop")
    job = deploy(norn, f"frozen-{step}-{point}")
    wait_until(lambda: any(map(frozen, (zombie.pid, *children(zombie.pid)))), allowed(150), "the worker is frozen")
    norn.spawn("deploy")
    assert ended(norn, job) == "succeeded"
    later = deploy(norn, f"later-{step}-{point}")
    assert ended(norn, later) == "succeeded"
    before = deployment(kube, namespace, "shop")
    norn.kill("zombie", signal.SIGCONT)
    until = time.monotonic() + WATCHED
    while time.monotonic() < until:
        after = deployment(kube, namespace, "shop")
        assert (after["metadata"]["annotations"], after["spec"]) == (before["metadata"]["annotations"], before["spec"])
    norn.kill_group("zombie")
    assert colour(kube, namespace) == f"later-{step}-{point}"


def no_run_is_left(kube: KubeKit, namespace: str) -> None:
    """Waits until the namespace has no Job, pod or Secret of a run."""
    wait_until(lambda: kube.objects(namespace, "job,pod,secret", "norn.io/run") == [], allowed(60), "no run is left")


def test_a_command_goes_on_when_its_worker_is_killed(norn: Stack, kube: KubeKit, namespace: str) -> None:
    counts = "for n in 1 2 3 4 5 6 7 8 9; do echo $n; sleep 1; done; exit 4"
    argv = [str(BIN / "norn"), "run", "shop", "--exit-code", "--", "sh", "-c", counts]
    running = subprocess.Popen(argv, env=norn.environment, stdout=subprocess.PIPE)
    assert running.stdout is not None
    first = running.stdout.readline()
    norn.kill_group("cron")
    norn.spawn("cron")
    rest = running.stdout.read()
    running.wait(allowed(90))
    (job,) = norn.rows("SELECT runs FROM jobs WHERE kind = 'run' ORDER BY id DESC LIMIT 1")
    assert (first + rest, running.returncode, job["runs"]) == (b"1\n2\n3\n4\n5\n6\n7\n8\n9\n", 4, 1)
    no_run_is_left(kube, namespace)


@pytest.mark.parametrize("point", ["created", "recorded", "begun"])
def test_a_command_that_was_not_started_is_run_by_the_next_worker(
    norn: Stack, kube: KubeKit, namespace: str, point: str
) -> None:
    norn.kill_group("cron")
    norn.spawn("cron", "dying", NORN_TEST_BUILD="1", NORN_FAILPOINT=f"run-command:{point}:kill")
    number = norn.norn("run", "shop", "--detach", "--", "sh", "-c", f"echo {point}").stdout.decode().strip()
    wait_until(lambda: norn.processes["dying"].poll() is not None, allowed(60), "the worker has died")
    norn.spawn("cron")
    (row,) = norn.rows("SELECT job_id FROM oneoffs WHERE id = %s", int(number))
    assert ended(norn, row["job_id"]) == "succeeded"
    assert norn.json("runs", "show", number)["stdout"] == f"{point}\n"
    no_run_is_left(kube, namespace)
