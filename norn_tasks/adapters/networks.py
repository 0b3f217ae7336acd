"""The engine's networks that Norn makes on demand: `norn-runs` for runs, `norn` for replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.types import IPAMConfig, IPAMPool

from norn_tasks.adapters.engine import OWNER, Engine
from norn_tasks.domain.errors import Conflict, NotFound

_NO_TALK = {"com.docker.network.bridge.enable_icc": "false"}


def ensure(engine: Engine, name: str, *, talk: bool, own_subnet: bool = False) -> dict[str, Any]:
    """Makes a bridge network if it is missing, and answers what the engine knows of it.

    `talk`: its containers may reach one another. `own_subnet`: its subnet is fixed, which the engine asks for before
    it lets containers have fixed addresses; the engine chooses a free one, and the network is made again with it.
    """
    try:
        return _inspect(engine, name)
    except NotFound:
        options = {} if talk else _NO_TALK
        _create(engine, name, options)
    if own_subnet:
        subnet = _inspect(engine, name)["IPAM"]["Config"][0]["Subnet"]
        engine.briefly(lambda client: client.remove_network(name))
        _create(engine, name, options, IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]))
    return _inspect(engine, name)


def _inspect(engine: Engine, name: str) -> dict[str, Any]:
    found: dict[str, Any] = engine.briefly(lambda client: client.inspect_network(name))
    return found


def _create(engine: Engine, name: str, options: Mapping[str, str], ipam: IPAMConfig | None = None) -> None:
    try:
        mine = engine.briefly(
            lambda client: client.create_network(
                name, "bridge", dict(options), ipam, check_duplicate=True, labels={OWNER: "norn"}
            )["Id"]
        )
    except Conflict:
        return
    _keep_one(engine, name, mine)


def _keep_one(engine: Engine, name: str, mine: str) -> None:
    """Takes ours away again if another worker made the same network in the same moment: the engine allows both."""
    same = engine.briefly(lambda client: client.networks(names=[name]))
    if mine != min(network["Id"] for network in same if network["Name"] == name):
        engine.briefly(lambda client: client.remove_network(mine))
