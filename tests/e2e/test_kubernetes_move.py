"""The move of an app from Docker to a real Kubernetes cluster, while clients use its stable address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest

from tests.e2e.stack import Stack
from tests.e2e.test_kubernetes import DOCKERFILE, KINDS, SPEC, kube, namespace, write
from tests.kube import KubeKit
from tests.kube_norn import norn_over
from tests.kube_watching import Visitor
from tests.servers import Postgres, allowed, wait_until

PLAIN = SPEC.replace("secrets: [TOKEN]\n", "").replace("app: shop", "app: roam").replace("shop-web", "roam-web")
CLIENTS, AFTER = 3, 50
__all__ = ["DOCKERFILE", "kube", "namespace"]

pytestmark = pytest.mark.timeout(600)


class Client(Visitor):
    """Sends requests without a pause."""

    PAUSE = 0.005


@pytest.fixture(scope="module")
def norn(kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A whole Norn with both clusters."""
    with norn_over(kube, namespace, postgres, private_dir / "move") as stack:
        yield stack


@pytest.fixture(scope="module")
def address(norn: Stack) -> str:
    """The address of an app that is live on Docker."""
    write(norn, "roam", PLAIN, "one")
    norn.norn("forge", "roam", "--cluster", "docker")
    norn.norn("deploy", "roam")
    app = norn.json("status", "roam", "--fresh")
    assert (app["cluster"], app["ready"]) == ("docker", 2)
    return str(app["url"])


def replicas(norn: Stack) -> int:
    """The number of the app's containers on the engine."""
    client = docker.DockerClient(base_url=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    name = norn.rows("SELECT name FROM instance")[0]["name"]
    found = client.containers.list(all=True, filters={"label": [f"norn.io/instance={name}", "norn.io/app=roam"]})
    client.close()
    return len(found)


def test_a_move_that_fails_leaves_the_app_where_it_is(norn: Stack, kube: KubeKit, namespace: str, address: str) -> None:
    write(norn, "roam", PLAIN.replace("memory: 32m", "cpu: 200"), "one")
    with Client(address, "one") as client:
        refused = norn.norn("forge", "roam", "--cluster", "kubernetes", check=False)
    assert refused.returncode != 0 and b"no node has enough cpu free" in refused.stdout + refused.stderr
    app = norn.json("status", "roam", "--fresh")
    assert (app["cluster"], app["ready"], app["url"], client.failures) == ("docker", 2, address, [])
    assert kube.objects(namespace, KINDS, "norn.io/app=roam") == []


def test_a_move_loses_no_request_and_the_address_stays(
    norn: Stack, kube: KubeKit, namespace: str, address: str
) -> None:
    write(norn, "roam", PLAIN, "one")
    with ExitStack() as around:
        clients = [around.enter_context(Client(address, "one")) for _ in range(CLIENTS)]
        wait_until(lambda: all(each.asked > AFTER for each in clients), allowed(60), "clients ask before the move")
        norn.norn("forge", "roam", "--cluster", "kubernetes")
        enough = [each.asked + AFTER for each in clients]
        pairs = list(zip(clients, enough, strict=True))
        wait_until(lambda: all(each.asked > least for each, least in pairs), allowed(60), "and after")
    print(f"\n{sum(each.asked for each in clients)} requests")
    app = norn.json("status", "roam", "--fresh")
    assert [each.failures for each in clients] == [[]] * CLIENTS
    assert (app["cluster"], app["ready"], app["url"], replicas(norn)) == ("kubernetes", 2, address, 0)
    assert len(kube.objects(namespace, "pod", "norn.io/app=roam")) == 2


def test_a_later_deploy_with_another_name_keeps_the_address(norn: Stack, address: str) -> None:
    write(norn, "roam", PLAIN.replace("roam-web", "roam-new"), "one")
    with Client(address, "one") as client:
        norn.norn("deploy", "roam")
        norn.norn("forge", "roam")
    app = norn.json("status", "roam", "--fresh")
    assert (client.failures, client.asked > AFTER, app["url"]) == ([], True, address)


def test_a_teardown_frees_the_port(norn: Stack, kube: KubeKit, namespace: str, address: str) -> None:
    norn.norn("teardown", "roam", "--confirm", "roam")
    port = urlsplit(address).port
    assert norn.rows("SELECT app FROM addresses WHERE port = %s", port) == []
    assert kube.objects(namespace, KINDS, "norn.io/app=roam") == []
