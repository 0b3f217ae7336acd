"""The promises of every cluster about drift: none after a rollout, and each change by others is reported with both
values.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.site import Object
from norn_tasks.domain.comparing.drift import Drift
from tests.contract import cluster_kit
from tests.contract.cluster_kit import MIB, World
from tests.fakes.stop import FakeWatch

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(params=["fake", "docker", "kubernetes"])
def anywhere(request: pytest.FixtureRequest, app: str) -> World:
    if request.param == "kubernetes":
        return cluster_kit.kubernetes_world(app, request.getfixturevalue("kube_api"))
    if request.param == "fake":
        return cluster_kit.fake_world(app)
    return cluster_kit.docker_world(app, request.getfixturevalue("clean_engine"))


def drift(world: World, **changed: object) -> tuple[Drift, ...]:
    return world.cluster.drift(replace(world.web, **changed), FakeWatch().watch)  # type: ignore[arg-type]


def test_after_a_rollout_nothing_differs_and_a_wish_for_more_replicas_does(anywhere: World) -> None:
    anywhere.cluster.expose(anywhere.web, FakeWatch().watch)
    anywhere.roll(anywhere.web)
    assert drift(anywhere) == ()
    (found,) = (each for each in drift(anywhere, replicas=2) if each.field.endswith("replicas"))
    assert (found.wanted, found.found) == ("2", "1")


def test_changes_by_docker_commands_are_found(clean_engine: EngineClient, app: str) -> None:
    world = cluster_kit.docker_world(app, clean_engine)
    world.roll(replace(world.web, cpus=0.5))
    [container] = world.containers()

    def change(client: APIClient) -> None:
        client.update_container(container, mem_limit=64 * MIB, memswap_limit=64 * MIB, restart_policy={"Name": "no"})  # type: ignore[arg-type]
        client.rename(container, f"other-{app}")
        client.connect_container_to_network(container, "bridge")
        client.pause(container)

    assert drift(world, cpus=0.5) == ()
    clean_engine.ask(change)
    found = {each.field: (each.wanted, each.found) for each in drift(world, cpus=0.5)}
    assert found["memory"] == found["memorySwap"] == (str(32 * MIB), str(64 * MIB))
    assert found["restartPolicy"] == ("unless-stopped", "no")
    assert found["state"] == ("running", "paused")
    assert found["networks"] == ('["norn"]', '["bridge", "norn"]')
    assert found["name"][1] == f"other-{app}"
    assert len(found) == 6


Change = tuple[str, list[Object]]

TEN: dict[str, tuple[Change, tuple[str | None, str | None]]] = {
    "spec.replicas": (("Deployment", [{"op": "replace", "path": "/spec/replicas", "value": 2}]), ("1", "2")),
    "spec.paused": (("Deployment", [{"op": "add", "path": "/spec/paused", "value": True}]), (None, "true")),
    "spec.minReadySeconds": (
        ("Deployment", [{"op": "add", "path": "/spec/minReadySeconds", "value": 7}]), ("0", "7"),
    ),
    "labels.team": (("Deployment", [{"op": "add", "path": "/metadata/labels/team", "value": "red"}]), (None, "red")),
    "template.spec.containers.app.image": (
        ("Deployment", [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1"}]),
        ("busybox:stable", "evil:1"),
    ),
    "template.spec.containers.app.env.EXTRA.value": (
        ("Deployment", [{"op": "add", "path": "/spec/template/spec/containers/0/env",
                         "value": [{"name": "EXTRA", "value": "1"}]}]),
        (None, "1"),
    ),
    "template.spec.hostNetwork": (
        ("Deployment", [{"op": "add", "path": "/spec/template/spec/hostNetwork", "value": True}]), (None, "true"),
    ),
    "template.spec.terminationGracePeriodSeconds": (
        ("Deployment", [{"op": "replace", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": 99}]),
        ("15", "99"),
    ),
    "spec.type": (
        ("Service", [{"op": "replace", "path": "/spec/type", "value": "NodePort"}]), ("ClusterIP", "NodePort"),
    ),
    "spec.selector.extra": (
        ("Service", [{"op": "add", "path": "/spec/selector/extra", "value": "yes"}]), (None, "yes"),
    ),
}  # fmt: skip


def test_ten_changes_by_kubectl_are_found_each_with_both_values(kube_api: Api, app: str) -> None:
    world = cluster_kit.kubernetes_world(app, kube_api)
    world.cluster.expose(world.web, FakeWatch().watch)
    world.roll(world.web)
    assert drift(world) == ()
    paused = [each for each in TEN.values() if each[0][1][0]["path"] == "/spec/paused"]
    for (kind, changes), _ in [*paused, *(each for each in TEN.values() if each not in paused)]:
        seen = kube_api.get(kind, app if kind == "Deployment" else world.web.internal_host)
        assert seen is not None
        kube_api.patch(seen, changes)
    found = {each.field: (each.wanted, each.found) for each in drift(world)}
    expected = {field: values for field, (_, values) in TEN.items()}
    assert {field: found.get(field) for field in expected} == expected
