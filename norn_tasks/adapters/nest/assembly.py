"""Creates the objects of the nest (the container in which crun starts runs): its client, its runtime and its engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from norn_tasks.adapters.docker import networks, runs_reach
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.nest.engine import NestEngine
from norn_tasks.adapters.nest.images import NestImages
from norn_tasks.adapters.nest.keeper import NestKeeper
from norn_tasks.adapters.nest.roads import EngineWithNest, Nest, TwoRoads, hosts_of
from norn_tasks.adapters.nest.runtime import NestRuntime
from norn_tasks.adapters.runtimes.docker import DockerRuntime


def nest_on(docker: DockerEngine, data: Path) -> Nest:
    """Returns the nest of a control plane, with its socket in the data directory `data`. No request is sent to
    it yet.
    """
    return Nest(NestKeeper(docker.client, docker.instance, data / "nest"))


def nest_or_none(docker: DockerEngine, data: Path, *, wanted: bool) -> Nest | None:
    """Returns the nest if it is wanted; otherwise removes a nest that was created earlier, and returns None. Raises
    EngineDown.
    """
    nest = nest_on(docker, data)
    if wanted:
        return nest
    nest.keeper.put_away()
    return None


def engine_with_nest(docker: DockerEngine, data: Path) -> EngineWithNest:
    """Returns the Docker engine together with the sandboxes in its nest."""
    nest = nest_on(docker, data)
    return EngineWithNest(docker, NestEngine(nest.keeper.door), nest)


def two_roads(docker: DockerEngine, data: Path, names: Callable[[], tuple[str, ...]]) -> TwoRoads:
    """Returns the runtime that chooses for each run between the nest and Docker. `names` returns the host names of
    webservers that runs can reach.
    """
    nest = nest_on(docker, data)
    door, hosts = nest.keeper.door, hosts_of(names, lambda: _gateway(docker.client))
    fast = NestRuntime(NestEngine(door), NestImages(docker.client, door), hosts)
    return TwoRoads(DockerRuntime(docker, names), fast, nest)


@cache
def _gateway(engine: EngineClient) -> str:
    return runs_reach.address_of(networks.ensure(engine, networks.RUNS, talk=False)).partition("/")[0]
