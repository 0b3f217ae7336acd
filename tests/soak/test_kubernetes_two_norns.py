"""Two complete Norns in one namespace of a real Kubernetes cluster: neither touches the objects of the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.e2e.test_kubernetes import KINDS, kube, namespace, write
from tests.kube import KubeKit
from tests.kube_norn import norn_over
from tests.servers import Postgres, wait_until

SPEC = """app: {app}
role: webserver
port: 8080
command: sh -c 'trap "exit 0" TERM; httpd -f -p 8080 -h /www & wait'
healthcheck: /health
replicas: 2
hosts: {{internal: {host}}}
resources: {{memory: 16m}}
"""
LOOKS = 5

__all__ = ["kube", "namespace"]

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def first(kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A Norn whose app `shop` is live."""
    with norn_over(kube, namespace, postgres, private_dir / "first") as stack:
        live(stack, "shop")
        yield stack


@pytest.fixture(scope="module")
def second(kube: KubeKit, namespace: str, first: Stack, postgres: Postgres, private_dir: Path) -> Iterator[Stack]:
    """Another Norn in the same namespace."""
    with norn_over(kube, namespace, postgres, private_dir / "second", instance="second") as stack:
        yield stack


def live(stack: Stack, app: str, host: str = "") -> None:
    """Makes an app live."""
    write(stack, app, SPEC.format(app=app, host=host or app), app)
    stack.norn("forge", app)
    stack.norn("deploy", app)


def all_of(stack: Stack, kube: KubeKit, namespace: str) -> dict[str, str]:
    """Returns the objects that a Norn has in the namespace, without the fields that the cluster writes into them."""
    (row,) = stack.rows("SELECT name FROM instance")
    found = kube.objects(namespace, f"{KINDS},replicaset", f"norn.io/instance={row['name']}")
    kept = ("name", "uid", "labels", "annotations")
    return {
        f"{each['kind']} {each['metadata']['name']}": json.dumps(
            [{name: each["metadata"].get(name) for name in kept}, each.get("spec"), each.get("data")]
        )
        for each in found
    }


def test_neither_touches_the_objects_of_the_other(first: Stack, second: Stack, kube: KubeKit, namespace: str) -> None:
    before = all_of(first, kube, namespace)
    assert {name.split()[0] for name in before} >= {"Deployment", "Service", "PodDisruptionBudget", "Pod"}
    write(second, "shop", SPEC.format(app="shop", host="other"), "theirs")
    refused = second.norn("forge", "shop", check=False)
    assert refused.returncode != 0 and b"of another Norn" in refused.stdout + refused.stderr, refused.stderr
    write(second, "till", SPEC.format(app="till", host="shop"), "theirs")
    refused = second.norn("forge", "till", check=False)
    assert refused.returncode != 0 and b"of another Norn" in refused.stdout + refused.stderr, refused.stderr
    live(second, "bakery")
    second.norn("scale", "bakery", "3")
    for _ in range(LOOKS):
        assert [each["name"] for each in second.json("status", "--fresh")["items"] if each["ready"]] == ["bakery"]
        assert [each["name"] for each in first.json("status", "--fresh")["items"] if each["ready"]] == ["shop"]
    for app in ("shop", "till"):
        second.norn("teardown", app, "--confirm", app)
    assert all_of(first, kube, namespace) == before
    theirs = all_of(second, kube, namespace)
    assert {name.split()[1][:6] for name in theirs} == {"bakery"}
    first.norn("teardown", "shop", "--confirm", "shop")
    wait_until(lambda: all_of(first, kube, namespace) == {}, 60, "nothing of the first one is left")
    assert all_of(second, kube, namespace) == theirs


def test_neither_removes_a_run_of_the_other(first: Stack, second: Stack) -> None:
    run = second.norn("run", "bakery", "--detach", "--", "sh", "-c", "sleep 20; echo whole").stdout.decode().strip()
    wait_until(lambda: second.json("runs", "show", run)["state"] == "running", 60, "it runs")
    for _ in range(LOOKS):
        first.norn("status", "--fresh")
    wait_until(lambda: second.json("runs", "show", run)["state"] not in ("queued", "running"), 120, "it has ended")
    shown = second.json("runs", "show", run)
    assert (shown["state"], shown["stdout"]) == ("succeeded", "whole\n")
