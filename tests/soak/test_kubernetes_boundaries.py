"""kill -9 of the worker at every step boundary of forge, deploy, scale and teardown, on a real Kubernetes cluster.

Each job ends within 75 seconds of the death, by a worker that takes it over, and the namespace then has exactly the
objects that the app should have: no Secret, pod or Service of an earlier generation is left.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from tests.e2e.stack import Stack
from tests.e2e.test_kubernetes import deployment, kube, namespace, write
from tests.kube import KubeKit
from tests.kube_norn import norn_over
from tests.servers import Postgres, allowed, wait_until

SECONDS = 75
ENDS = ("succeeded", "failed", "error", "dead", "superseded", "expired", "cancelled")
KINDS = "deployment,service,secret,configmap,pdb,pvc,job,pod"
SPEC = """app: {app}
role: webserver
port: 8080
command: sh -c 'trap "exit 0" TERM; httpd -f -p 8080 -h /www & wait'
healthcheck: /health
replicas: {replicas}
hosts: {{internal: {app}}}
resources: {{memory: 16m}}
env: {{COLOUR: {colour}}}
secrets: [TOKEN]
"""
_MADE = ("compare-spec", "sync-secrets", "create-deployment", "create-service")
_ROLLED = ("rollout-image", "await-rollout")
STEPS = {
    "first-forge": _MADE,
    "forge": (*_MADE, *_ROLLED),
    "deploy": ("clone-source", "sync-secrets", "build-image", "publish-image", *_ROLLED, "prune-images",
               "discard-source"),
    "scale": ("sync-secrets", *_ROLLED),
    "teardown": ("delete-service", "delete-deployment", "delete-services", "delete-volumes"),
}  # fmt: skip
"""The steps that each operation takes; the test fails if it takes others, or if one of these is never reached."""
BOUNDARIES = [(what, step, point) for what, steps in STEPS.items() for step in steps for point in ("before", "effect")]
"""The moments before a step, and between its effect and its end."""
_QUIET = {"NORN_LEASE_SECONDS": "4", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3"}

__all__ = ["kube", "namespace"]

pytestmark = pytest.mark.timeout(900)


@dataclass
class World:
    """A complete Norn with an app `shop` that is live."""

    stack: Stack
    kube: KubeKit
    namespace: str
    number: int = 0

    def spec(self, app: str, replicas: int = 2) -> None:
        """Writes an app's directory, with a spec that differs from every earlier one."""
        self.number += 1
        write(self.stack, app, SPEC.format(app=app, replicas=replicas, colour=f"c{self.number}"), f"w{self.number}")

    def make(self, app: str) -> None:
        """Registers an app and sets its secret; nothing of it is in the cluster."""
        self.spec(app)
        self.stack.norn("secrets", "set", app, "TOKEN", stdin=b"value")

    def live(self, app: str) -> None:
        """Makes an app live."""
        self.make(app)
        self.stack.norn("forge", app)
        self.stack.norn("deploy", app)

    def request(self, what: str) -> tuple[str, int]:
        """Requests the operation; returns its app and its job."""
        if what == "teardown":
            return "leaver", self.job("teardown", "leaver", "--confirm", "leaver")
        if what == "scale":
            wanted = 3 if deployment(self.kube, self.namespace, "shop")["spec"]["replicas"] == 2 else 2
            return "shop", self.job("scale", "shop", str(wanted))
        app = f"new-{self.number}" if what == "first-forge" else "shop"
        if what != "first-forge":
            self.spec("shop")
        return app, self.job("deploy" if what == "deploy" else "forge", app)

    def job(self, *argv: str) -> int:
        """Runs a command that requests a job; returns the job."""
        return int(self.stack.json(*argv, "--detach")["job"])

    def found(self, app: str) -> Counter[str]:
        """Counts the objects of an app."""
        return Counter(each["kind"] for each in self.kube.objects(self.namespace, KINDS, f"norn.io/app={app}"))

    def generations(self, app: str) -> set[str]:
        """Returns the generations of its pods and Secrets."""
        found = self.kube.objects(self.namespace, "pod,secret", f"norn.io/app={app}")
        return {each["metadata"]["annotations"]["norn.io/generation"] for each in found}

    def containers(self) -> list[str]:
        """Returns the containers that this Norn has on the engine."""
        client = docker.DockerClient(base_url=self.stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
        ours = f"norn.io/instance={self.stack.rows('SELECT name FROM instance')[0]['name']}"
        return [each.name for each in client.containers.list(all=True, ignore_removed=True, filters={"label": ours})]


@pytest.fixture(scope="module")
def world(kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[World]:
    with norn_over(kube, namespace, postgres, private_dir / "boundaries", **_QUIET) as stack:
        world = World(stack, kube, namespace)
        world.live("shop")
        yield world


def ended(stack: Stack, job: int, since: float) -> str:
    """Waits for the end of a job and returns its state; a job that does not end shows its steps."""
    try:
        return str(stack.await_state(job, ENDS, allowed(SECONDS) - (time.monotonic() - since))["state"])
    except AssertionError as error:
        raise AssertionError(f"{error}\n{stack.norn('jobs', 'show', str(job)).stdout.decode()}") from None


def wanted(what: str, replicas: int) -> Counter[str]:
    """Returns how many objects of each kind the app has after the operation. Its ConfigMap holds the program with which
    a pod pauses before it ends.
    """
    if what == "teardown":
        return Counter()
    whole = Counter(Deployment=1, Service=1, ConfigMap=1)
    if what != "first-forge":
        whole += Counter(Secret=1, PodDisruptionBudget=1, Pod=replicas)
    return whole


@pytest.mark.parametrize(("what", "step", "point"), BOUNDARIES)
def test_a_job_whose_worker_is_killed_ends_and_leaves_nothing(world: World, what: str, step: str, point: str) -> None:
    stack = world.stack
    if what == "teardown":
        world.live("leaver")
    if what == "first-forge":
        world.make(f"new-{world.number + 1}")
    stack.kill_group("deploy")
    dying = stack.spawn("deploy", "dying", NORN_TEST_BUILD="1", NORN_FAILPOINT=f"{step}:{point}:kill")
    app, job = world.request(what)
    wait_until(lambda: dying.poll() is not None, allowed(150), f"the worker dies {point} {step}")
    died = time.monotonic()
    stack.spawn("deploy")
    state = ended(stack, job, died)
    print(f"\n{what} killed at {step}:{point}: {state} after {time.monotonic() - died:.1f} s")
    rows = stack.rows("SELECT name, state FROM steps WHERE job_id = %s ORDER BY n", job)
    taken = [each["name"] for each in rows if each["state"] != "skipped"]
    assert (state, [step for step in taken if step not in STEPS[what]]) == ("succeeded", [])
    replicas = deployment(world.kube, world.namespace, app)["spec"]["replicas"] if what != "teardown" else 0
    assert world.found(app) == wanted(what, replicas)
    assert len(world.generations(app)) == (0 if what in ("first-forge", "teardown") else 1)
    assert world.containers() == []


def test_in_the_end_nothing_is_left_in_the_namespace(world: World) -> None:
    for each in world.stack.rows("SELECT name FROM apps WHERE forge_state <> 'unforged'"):
        world.stack.norn("teardown", each["name"], "--confirm", each["name"])
    chosen = "app.kubernetes.io/managed-by=norn"
    assert world.kube.objects(world.namespace, f"{KINDS},replicaset", chosen) == []
