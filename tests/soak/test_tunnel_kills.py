"""Three public names at a tunnel, added and removed by two workers of which one is killed in each round.

There are two tunnels: a cloudflared in a real cluster, with its rules in a ConfigMap, and one whose rules are at
Cloudflare, with a fake API that returns errors, drops connections and loses responses. In each round all three apps are
forged or torn down at once. When a randomly chosen job has reached a randomly chosen step, its worker is killed with
SIGKILL. After the round the tunnel has exactly the rules that belong there: the unchanged rule of others, one rule for
each forged app, and the catch-all rule last.

The environment variable MINUTES says for how many minutes each tunnel has rounds, by default 3.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.e2e.test_guide import GUIDE
from tests.e2e.test_kubernetes import kube, namespace
from tests.fakes.cloudflare import ACCOUNT, TOKEN, TUNNEL, FakeCloudflare
from tests.kube import KubeKit
from tests.servers import Broker, Postgres, allowed, wait_until

__all__ = ["kube", "namespace"]

ENDS = ("succeeded", "failed", "error", "dead", "superseded", "expired", "cancelled")
APPS = ("one", "two", "three")
ZONE = "slopistry.com"
WORKERS = ("deploy", "deploy-2")
CHANCE = 0.1
"""The fraction of requests to Cloudflare that fail."""
SHIPPED = Path(__file__).parents[2] / "deploy" / "kubernetes" / "cloudflared.yaml"
WIKI = {"hostname": f"wiki.{ZONE}", "service": "http://10.0.0.9", "originRequest": {"noTLSVerify": True}}
LAST = {"service": "http_status:404"}
BEFORE = f"""tunnel: norn
ingress:
  # the wiki of others
  - hostname: wiki.{ZONE}
    service: http://10.0.0.9
    originRequest: {{noTLSVerify: true}}
  - service: http_status:404
"""

pytestmark = pytest.mark.timeout(1200)


@dataclass
class Tunnel:
    """A whole Norn with two deploy workers and short leases, and the rules of its tunnel."""

    stack: Stack
    rules: Callable[[], list[dict[str, Any]]]
    as_before: Callable[[bool], bool]
    """Returns True if everything that others have at the tunnel is unchanged. Its argument: True if Norn must have no
    rule there.
    """

    def names(self) -> list[str]:
        """Returns the names with a rule of Norn's; fails unless the foreign rule is first and the catch-all last."""
        rules = self.rules()
        assert (rules[0], rules[-1]) == (WIKI, LAST), rules
        return sorted(rule["hostname"] for rule in rules[1:-1])


def shipped(namespace: str) -> str:
    """Returns the objects that Norn ships for a cloudflared in the cluster, moved to this namespace and without
    pods.
    """
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


@contextmanager
def running(postgres: Postgres, home: Path, **environment: str) -> Iterator[Stack]:
    """Runs a Norn with two deploy workers, on which the apps are registered."""
    broker = Broker(home / "broker")
    often = {
        "NORN_LEASE_SECONDS": "4", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3",
        "NORN_MAX_CLAIMS": "20", "NORN_WORKERS_DEPLOY": "2",
    }  # fmt: skip
    stack = new_stack(postgres, broker.url, home, **often, **environment)
    try:
        stack.start()
        stack.spawn("deploy", "deploy-2")
        for app in APPS:
            apply(stack, f"app: {app}\nrole: webserver\nport: 8080\nhosts: {{external: {app}.{ZONE}}}\n")
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


def apply(stack: Stack, spec: str) -> None:
    """Registers an app."""
    file = stack.home / "app.yaml"
    file.write_text(spec)
    stack.norn("apply", str(file))


@pytest.fixture(scope="module")
def in_cluster(
    kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path, engine_address: str
) -> Iterator[Tunnel]:
    """A cloudflared in the cluster. The local program `cloudflared`, with which Norn makes DNS records, is a fake that
    writes down its arguments.
    """
    home = private_dir / "maps"
    home.mkdir()
    objects = home / "cloudflared.yaml"
    objects.write_text(shipped(namespace))
    config = kube.of_norn(namespace, home / "kubeconfig")
    kube.kubectl("apply", "-f", str(objects))
    program = home / "cloudflared"
    program.write_text(f'#!/bin/sh\necho "$@" >> {home}/asked\nsleep 0.2\n')
    program.chmod(0o755)
    environment = {
        "NORN_KUBE_NAMESPACE": namespace, "NORN_KUBE_CONFIG": str(config),
        "NORN_CLOUDFLARE_CONFIG_MAP": f"{namespace}/cloudflared", "NORN_CLOUDFLARED": str(program),
        "NORN_REGISTRY_URL": kube.environment["NORN_REGISTRY_URL"],
    }  # fmt: skip

    def text() -> str:
        (found,) = [each for each in kube.objects(namespace, "configmap") if each["metadata"]["name"] == "cloudflared"]
        return str(found["data"]["config.yaml"])

    def as_before(alone: bool) -> bool:
        return text() == BEFORE if alone else text().startswith(BEFORE.partition("  - service")[0])

    with running(postgres, home, **environment) as stack:
        yield Tunnel(stack, lambda: list(yaml.safe_load(text())["ingress"]), as_before)


@pytest.fixture(scope="module")
def at_cloudflare(postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Tunnel]:
    """A tunnel whose rules and records are behind Cloudflare's API, which fails often."""
    home = private_dir / "api"
    home.mkdir()
    fake = FakeCloudflare(config={"ingress": [WIKI, LAST]}, chance=CHANCE)
    fake.add_record("CNAME", f"wiki.{ZONE}", "elsewhere.example.com")
    environment = {
        "NORN_CLOUDFLARE_URL": fake.url, "NORN_CLOUDFLARE_API_TOKEN": TOKEN, "NORN_CLOUDFLARE_ACCOUNT": ACCOUNT,
        "NORN_CLOUDFLARE_TUNNEL": TUNNEL,
    }  # fmt: skip

    def as_before(_alone: bool) -> bool:
        ruled = sorted(rule["hostname"] for rule in fake.ingress[:-1])
        foreign = [each["content"] for each in fake.records if each["name"] == f"wiki.{ZONE}"]
        return sorted(each["name"] for each in fake.records) == ruled and foreign == ["elsewhere.example.com"]

    with running(postgres, home, **environment) as stack:
        yield Tunnel(stack, lambda: fake.ingress, as_before)
    fake.stop()


def begun(stack: Stack, verb: str) -> list[int]:
    """Requests the change of all apps at the same time; returns the jobs."""
    headers = {"Authorization": f"Bearer {(stack.home / 'token').read_text().strip()}"}
    asked = [httpx.post(f"{stack.url}/api/apps/{app}/{verb}", json={}, headers=headers, timeout=60) for app in APPS]
    return [answer.raise_for_status().json()["job"] for answer in asked]


MOMENTS = {"forge": ("", "route-tunnel", "create-dns-route"), "teardown": ("", "remove-dns-route", "unroute-tunnel")}
"""The steps at whose beginning a worker is killed; the empty name stands for the first step of the job."""


def reached(stack: Stack, job: int, step: str) -> bool:
    """Returns True when the step has begun, or the job has ended."""
    rows = stack.rows("SELECT name FROM steps WHERE job_id = %s AND state <> 'pending'", job)
    return any(step in ("", row["name"]) for row in rows) or stack.job(job)["state"] in ENDS


def kill_its_worker(stack: Stack, job: int) -> bool:
    """Kills the worker that runs the job, and starts the worker again; returns False if no worker runs the job."""
    victim = str(stack.job(job)["lease_owner"]).partition("@")[0]
    if stack.job(job)["state"] != "running":
        return False
    stack.kill_group(victim)
    stack.spawn("deploy", victim)
    return True


@pytest.mark.parametrize("kind", ["in_cluster", "at_cloudflare"])
def test_two_workers_and_kills_leave_exactly_the_right_rules(kind: str, request: pytest.FixtureRequest) -> None:
    tunnel: Tunnel = request.getfixturevalue(kind)
    stack = tunnel.stack
    until = time.monotonic() + 60 * float(os.environ.get("MINUTES", "3"))
    seed = int(os.environ.get("SEED", time.time()))
    chance, rounds, kills = random.Random(seed), 0, Counter[str]()
    while time.monotonic() < until or rounds < 4 or rounds % 2:  # ends with a teardown
        verb = ("forge", "teardown")[rounds % 2]
        jobs, step = begun(stack, verb), chance.choice(MOMENTS[verb])
        drawn = chance.choice(jobs)
        wait_until(lambda job=drawn, step=step: reached(stack, job, step), allowed(60), f"{verb} reaches {step}")
        kills[f"{verb} at {step or 'its beginning'}"] += kill_its_worker(stack, drawn)
        states = [stack.await_state(job, ENDS, allowed(120))["state"] for job in jobs]
        assert states == ["succeeded"] * len(APPS), (seed, rounds, verb, states)
        forged = verb == "forge"
        assert tunnel.names() == (sorted(f"{app}.{ZONE}" for app in APPS) if forged else []), (seed, rounds)
        assert tunnel.as_before(not forged), (seed, rounds, tunnel.rules())
        rounds += 1
    again = stack.rows("SELECT count(*) AS n FROM jobs WHERE claims > 1 AND kind IN ('forge', 'teardown')")[0]["n"]
    print(f"\n{kind}: {rounds} rounds of {len(APPS)} names, {again} jobs were taken over; seed {seed}")
    print(f"kill -9: {dict(kills)}")
    assert again > 0


def test_the_guides_mail_agent_moves_its_name_and_leaves_on_the_cluster(in_cluster: Tunnel) -> None:
    stack, name = in_cluster.stack, "mail-agent"
    spec = yaml.safe_load((GUIDE / name / "infraspec.yaml").read_text())
    del spec["services"]  # this Norn runs no services for apps
    service = f"http://{name}-service.{stack.environment['NORN_KUBE_NAMESPACE']}.svc"
    for host in (f"mail.{ZONE}", f"post.{ZONE}"):
        spec["hosts"]["external"] = host
        apply(stack, yaml.safe_dump(spec))
        stack.norn("forge", name)
        assert in_cluster.names() == [host]
        assert in_cluster.rules()[1]["service"].startswith(service), in_cluster.rules()
        assert host in (stack.home / "asked").read_text()
    left = stack.norn("teardown", name, "--confirm", name)
    assert (in_cluster.names(), in_cluster.as_before(True)) == ([], True)
    assert f"post.{ZONE}" in (left.stdout + left.stderr).decode()  # the record is left, and its name is printed
