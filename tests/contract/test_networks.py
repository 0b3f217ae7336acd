"""Networks of the engine, which several workers may create on demand at the same time."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest

from norn_tasks.adapters.docker import networks
from norn_tasks.adapters.docker.client import EngineClient


@pytest.fixture
def name(engine: EngineClient) -> Iterator[str]:
    """A network name of the test's own; networks whose names begin with it are removed afterwards."""
    name = f"norn-test-{uuid.uuid4().hex[:8]}"
    yield name
    for each in engine.ask(lambda client: client.networks(names=[name])):
        engine.ask(lambda client, it=each["Id"]: client.remove_network(it))  # type: ignore[misc]


def there(engine: EngineClient, name: str) -> list[str]:
    return [each["Name"] for each in engine.ask(lambda client: client.networks(names=[name]))]


def test_a_network_that_is_there_stays_as_it_is(engine: EngineClient, name: str) -> None:
    first = networks.ensure(engine, name, talk=False)
    assert networks.ensure(engine, name, talk=False)["Id"] == first["Id"]


def test_on_a_subnet_of_its_own_containers_may_have_fixed_addresses(engine: EngineClient, name: str) -> None:
    subnet = networks.ensure(engine, name, talk=True, own_subnet=True)["IPAM"]["Config"][0]["Subnet"]
    address = subnet.rsplit(".", 1)[0] + ".77"
    fixed = {"EndpointsConfig": {name: {"IPAMConfig": {"IPv4Address": address}}}}
    made = engine.ask(
        lambda client: client.create_container(
            "busybox:stable",
            ["sleep", "60"],
            host_config=client.create_host_config(network_mode=name),
            networking_config=fixed,
        )["Id"]
    )
    try:
        engine.ask(lambda client: client.start(made))
        told = engine.ask(lambda client: client.inspect_container(made))["NetworkSettings"]["Networks"][name]
        assert told["IPAddress"] == address
    finally:
        engine.take_away(made)


def test_finding_a_subnet_leaves_no_other_network(engine: EngineClient, name: str) -> None:
    networks.ensure(engine, name, talk=True, own_subnet=True)
    assert there(engine, name) == [name]


def test_workers_that_come_at_once_make_one(engine: EngineClient, name: str) -> None:
    threads = [threading.Thread(target=networks.ensure, args=[engine, name], kwargs={"talk": False}) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert there(engine, name) == [name]
