"""The promises of every engine, tested on the fake and on a real one."""

from __future__ import annotations

from ipaddress import IPv4Interface

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.ports import Engine
from tests.fakes.engine import FakeEngine


@pytest.fixture(params=["fake", "docker", "incus"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "fake":
        return FakeEngine()
    if request.param == "incus":
        incus: IncusRuntime = request.getfixturevalue("on_incus")
        return incus.on
    client: EngineClient = request.getfixturevalue("clean_engine")
    return DockerEngine(client)


def test_the_engine_tells_the_same_identity_each_time(engine: Engine) -> None:
    assert engine.identity() == engine.identity() != ""


@pytest.mark.parametrize("engine", ["fake", "docker"], indirect=True)
def test_the_address_at_which_runs_reach_the_machine_is_one_of_a_network(engine: Engine) -> None:
    reach = engine.reach()
    assert IPv4Interface(reach.address).network.num_addresses > 1
    assert reach.host is True


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_the_walls_of_runs_are_known_with_the_version_of_runc(engine: Engine) -> None:
    reach = engine.reach()
    assert None not in (reach.io_uring, reach.vsock, reach.runc)


def test_what_is_not_there_is_removed_already(engine: Engine, app: str) -> None:
    engine.remove(f"norn-x-{app}")
    assert [each for each in engine.containers() if app in each.name] == []
