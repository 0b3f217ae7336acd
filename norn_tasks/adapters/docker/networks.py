"""The engine's networks that Norn makes on demand: `norn-runs` for runs, `norn` for replicas."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from docker import APIClient
from docker.types import IPAMConfig, IPAMPool

from norn_tasks.adapters.docker.client import OWNER, EngineClient
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, StepFailed

RUNS = "norn-runs"
"""The network of cron runs, calls, one-offs and tests: on it no container reaches another one."""

_TRIES = 5
"""How many times a network is looked up and made, because other processes may make it at the same time."""
_NO_TALK = {"com.docker.network.bridge.enable_icc": "false"}


def ensure(engine: EngineClient, name: str, *, talk: bool, own_subnet: bool = False) -> dict[str, Any]:
    """Makes a bridge network if it is missing, and returns the engine's description of it.

    `talk`: its containers may reach one another. `own_subnet`: its subnet is fixed, which the engine requires before
    it gives containers fixed addresses.
    """
    for _ in range(_TRIES):
        same = _named(engine, name)
        if same:
            # The engine lets two workers make networks of the same name at the same moment: the older one stays.
            _remove(engine, same[1:])
            return same[0]
        _create(engine, name, {} if talk else _NO_TALK, _free_subnet(engine, name) if own_subnet else None)
    raise EngineDown(
        f"the engine does not keep the network {name}", hint="`docker network ls` on its machine lists them"
    )


def _free_subnet(engine: EngineClient, name: str) -> IPAMConfig:
    """Returns a free subnet, which the engine chose for a temporary network of another name.

    So the network itself never exists without a fixed subnet.
    """
    scratch = f"{name}-{uuid.uuid4().hex[:8]}"
    _create(engine, scratch, {})
    made = _named(engine, scratch)
    _remove(engine, made)
    subnet = made[0]["IPAM"]["Config"][0]["Subnet"]
    return IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)])


def _named(engine: EngineClient, name: str) -> list[dict[str, Any]]:
    found = engine.briefly(lambda client: client.networks(names=[name]))
    return sorted((each for each in found if each["Name"] == name), key=lambda each: (each["Created"], each["Id"]))


def _create(engine: EngineClient, name: str, options: Mapping[str, str], ipam: IPAMConfig | None = None) -> None:
    try:
        engine.briefly(
            lambda client: client.create_network(
                name, "bridge", dict(options), ipam, check_duplicate=True, labels={OWNER: "norn"}
            )
        )
    except Conflict:
        return


def _remove(engine: EngineClient, networks: Iterable[Mapping[str, Any]]) -> None:
    for each in networks:
        try:
            engine.briefly(partial(APIClient.remove_network, net_id=each["Id"]))
        except (NotFound, StepFailed):
            # Another process has removed it already, or it has a container: then a later `ensure` tries again.
            continue
