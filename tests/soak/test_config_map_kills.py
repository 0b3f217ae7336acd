"""Three public names in the ConfigMap of a cloudflared, added and removed by two workers of which one is killed.

The cluster is a real one. In each round all three apps are forged or torn down at once, and one of the two deploy
workers is killed by SIGKILL somewhere in between. Then the file has exactly the rules that belong there: the foreign
one and its comment as they were, the catch-all last, and one for each app that is forged.

`MINUTES` bounds the rounds, 3 by default.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.e2e.test_kubernetes import kube, namespace
from tests.kube import KubeKit
from tests.servers import Broker, Postgres, allowed

__all__ = ["kube", "namespace"]

ENDS = ("succeeded", "failed", "error", "dead", "superseded", "expired", "cancelled")
APPS = ("one", "two", "three")
WORKERS = ("deploy", "deploy-2")
SHIPPED = Path(__file__).parents[2] / "deploy" / "kubernetes" / "cloudflared.yaml"
BEFORE = """tunnel: norn
ingress:
  # the wiki of others
  - hostname: wiki.example.com
    service: http://10.0.0.9
    originRequest: {noTLSVerify: true}
  - service: http_status:404
"""

pytestmark = pytest.mark.timeout(1200)


def shipped(namespace: str) -> str:
    """Returns what Norn ships for a cloudflared in the cluster, in this namespace, without pods."""
    made = []
    for each in yaml.safe_load_all(SHIPPED.read_text()):
        each["metadata"]["namespace"] = namespace
        for subject in each.get("subjects", []):
            subject["namespace"] = namespace
        if each["kind"] == "ConfigMap":
            each["data"]["config.yaml"] = BEFORE
        if each["kind"] == "Deployment":
            each["spec"]["replicas"] = 0
        made.append(each)
    return yaml.safe_dump_all([each for each in made if each["kind"] != "Namespace"])


@pytest.fixture(scope="module")
def norn(kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A whole Norn with two deploy workers and short leases; `cloudflared` is a program that notes what it is asked."""
    home = private_dir / "maps"
    home.mkdir()
    objects = home / "cloudflared.yaml"
    objects.write_text(shipped(namespace))
    config = kube.of_norn(namespace, home / "kubeconfig")
    kube.kubectl("apply", "-f", str(objects))
    program = home / "cloudflared"
    program.write_text(f'#!/bin/sh\necho "$@" >> {home}/asked\nsleep 0.2\n')
    program.chmod(0o755)
    broker = Broker(home / "broker")
    environment = {
        "NORN_KUBE_NAMESPACE": namespace, "NORN_KUBE_CONFIG": str(config), "NORN_LEASE_SECONDS": "4",
        "NORN_CLOUDFLARE_CONFIG_MAP": f"{namespace}/cloudflared", "NORN_CLOUDFLARED": str(program),
        "NORN_REGISTRY_URL": kube.environment["NORN_REGISTRY_URL"], "NORN_WORKERS_DEPLOY": "2",
        "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3", "NORN_MAX_CLAIMS": "20",
    }  # fmt: skip
    stack = new_stack(postgres, broker.url, home, **environment)
    try:
        stack.start()
        stack.spawn("deploy", "deploy-2")
        for app in APPS:
            file = home / f"{app}.yaml"
            file.write_text(f"app: {app}\nrole: webserver\nport: 8080\nhosts: {{external: {app}.example.com}}\n")
            stack.norn("apply", str(file))
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


def rules(kube: KubeKit, namespace: str) -> tuple[str, list[dict[str, object]]]:
    """Returns the text of the file, and its rules."""
    (found,) = [each for each in kube.objects(namespace, "configmap") if each["metadata"]["name"] == "cloudflared"]
    text = found["data"]["config.yaml"]
    return text, yaml.safe_load(text)["ingress"]


def begun(stack: Stack, verb: str) -> list[int]:
    """Requests the change of all apps at once; returns the jobs."""
    headers = {"Authorization": f"Bearer {(stack.home / 'token').read_text().strip()}"}
    asked = [httpx.post(f"{stack.url}/api/apps/{app}/{verb}", json={}, headers=headers, timeout=60) for app in APPS]
    return [answer.raise_for_status().json()["job"] for answer in asked]


def test_two_workers_and_kills_leave_exactly_the_right_rules(norn: Stack, kube: KubeKit, namespace: str) -> None:
    until = time.monotonic() + 60 * float(os.environ.get("MINUTES", "3"))
    seed = int(os.environ.get("SEED", time.time()))
    chance, rounds, steps = random.Random(seed), 0, Counter[str]()
    while time.monotonic() < until or rounds < 4:
        verb = ("forge", "teardown")[rounds % 2]
        jobs, victim = begun(norn, verb), chance.choice(WORKERS)
        time.sleep(chance.uniform(0.0, 3.0))
        steps.update(row["name"] for row in norn.rows("SELECT name FROM steps WHERE state = 'running'"))
        norn.kill_group(victim)
        norn.spawn("deploy", victim)
        states = [norn.await_state(job, ENDS, allowed(120))["state"] for job in jobs]
        assert states == ["succeeded"] * len(APPS), (seed, rounds, verb, states)
        text, found = rules(kube, namespace)
        names = {f"{app}.example.com" for app in APPS} if verb == "forge" else set()
        assert {rule.get("hostname") for rule in found[1:-1]} == names and len(found) == len(names) + 2, (seed, text)
        assert text.startswith(BEFORE.partition("  - service")[0]) and found[-1] == {"service": "http_status:404"}
        assert verb == "forge" or text == BEFORE
        rounds += 1
    again = norn.rows("SELECT count(*) AS n FROM jobs WHERE claims > 1 AND kind IN ('forge', 'teardown')")[0]["n"]
    print(f"\n{rounds} rounds of {len(APPS)} names, a kill -9 in each; {again} jobs were taken over; seed {seed}")
    print(f"steps that ran when a worker was killed: {dict(steps)}")
    assert again > 0
