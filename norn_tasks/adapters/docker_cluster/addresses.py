"""The network `norn`, and the fixed address that each replica has on it.

Without a fixed address, a container that is restarted gets any free address. After a crash or a restart of the engine,
the row of one replica could then hold the address of another app's replica. A container keeps a fixed address for as
long as it exists. Addresses are chosen at random from the complete subnet, so that the address of a removed replica is
unlikely to be used again soon.
"""

from __future__ import annotations

import secrets
import time
from ipaddress import IPv4Network
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker import networks
from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker_cluster.policy import NETWORK
from norn_tasks.domain.errors import Conflict, NotFound, StepFailed, Unavailable

NOT_ITS_FAULT = ("Address already in use", "user configured subnets")
"""Texts with which the engine refuses to start a replica because its address is taken, or because its network is being
created again.
"""

_TRIES = 10
_PAUSE = 0.2
_DRAWS = 1000
"""The number of tries, the seconds between two tries, and how many random addresses one try checks."""


def ensure(engine: EngineClient, name: str = NETWORK) -> IPv4Network:
    """Creates the network if it is missing, and returns its subnet. Several workers may do so at the same time."""
    for left in reversed(range(_TRIES)):
        try:
            found = networks.ensure(engine, name, talk=True, own_subnet=True)
            return IPv4Network(found["IPAM"]["Config"][0]["Subnet"])
        except (NotFound, Conflict, StepFailed):
            # Another worker creates the network at this moment. It may have taken the free subnet, or removed a
            # duplicate of the network.
            if not left:
                raise
            time.sleep(_PAUSE)
    raise AssertionError("the last try answers or raises")


def gateway(subnet: IPv4Network) -> str:
    """Returns the address of the engine's machine on the network. The engine gives it the first address of a subnet
    that the engine chose itself.
    """
    return str(subnet[1])


def draw(client: APIClient, subnet: IPv4Network, name: str = NETWORK) -> str:
    """Returns a random address of the network that no container has, running or not."""
    containers = client.containers(all=True, filters={"network": name})
    taken = {address for each in containers for address in _addresses(each["NetworkSettings"]["Networks"].get(name))}
    for _ in range(_DRAWS):
        # Three addresses are not used: the network's own, the engine's (the next one), and the broadcast address (the
        # last one).
        address = str(subnet[2 + secrets.randbelow(subnet.num_addresses - 3)])
        if address not in taken:
            return address
    raise Unavailable(f"the network {name} has no free address", hint="scale down an app that is not needed")


def _addresses(endpoint: dict[str, Any] | None) -> tuple[str, str]:
    known = endpoint or {}
    return known.get("IPAddress") or "", (known.get("IPAMConfig") or {}).get("IPv4Address") or ""
