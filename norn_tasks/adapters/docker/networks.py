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
"""The network of cron runs, calls, one-offs and tests. Its containers cannot reach one another."""

_TRIES = 5
"""How many times Norn looks up and creates a network, because other processes may create it at the same time."""
_NO_TALK = {"com.docker.network.bridge.enable_icc": "false"}


def ensure(engine: EngineClient, name: str, *, talk: bool, own_subnet: bool = False) -> dict[str, Any]:
    """Creates a bridge network if it is missing, and returns the engine's description of the network.

    `talk`: the network's containers may reach one another. `own_subnet`: the network has a fixed subnet, without which
    the engine gives containers no fixed addresses.
    """
    for _ in range(_TRIES):
        same = _named(engine, name)
        if same:
            # The engine lets two workers create networks of the same name at the same moment. Norn keeps the older one.
            _remove(engine, same[1:])
            return same[0]
        _create(engine, name, {} if talk else _NO_TALK, _free_subnet(engine, name) if own_subnet else None)
    raise EngineDown(
        f"the engine does not keep the network {name}", hint="`docker network ls` on its machine lists them"
    )


def _free_subnet(engine: EngineClient, name: str) -> IPAMConfig:
    """Returns a free subnet: the engine chooses it for a temporary network of another name, which is removed again.

    So the real network has its fixed subnet from the beginning.
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
            # Another process has removed the network already, or it has a container; in that case a later `ensure`
            # tries again.
            continue
