"""The containers of replicas: what they are made of, and what the engine has of them."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from docker import APIClient
from docker.types import LogConfig

from norn_tasks.adapters import networks
from norn_tasks.adapters.engine import APP, INSTANCE, Engine, labels
from norn_tasks.domain.job import Fence
from norn_tasks.ports import Workload

NETWORK = "norn"
RELEASE = "norn.io/release"
GENERATION = "norn.io/generation"

_LOG = LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"})
_STAYS: Any = {"Name": "unless-stopped"}


@dataclass(frozen=True)
class Found:
    """A replica's container as the engine lists it; `address` is its fixed one in our network."""

    id: str
    name: str
    app: str
    release: int
    generation: int
    state: str
    address: str


class Containers:
    """All replicas' containers of one control plane on one engine."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self.engine = engine
        self._instance = instance

    def prepare(self) -> dict[str, Any]:
        """Makes the network if it is missing, and answers what the engine knows of it."""
        return networks.ensure(self.engine, NETWORK, talk=True, own_subnet=True)

    def of_app(self, app: str | None = None) -> tuple[Found, ...]:
        """Lists the replicas' containers of an app, or of all, by name."""
        wanted = [GENERATION, f"{INSTANCE}={self._instance}", *([f"{APP}={app}"] if app is not None else [])]
        listed = self.engine.briefly(lambda client: client.containers(all=True, filters={"label": wanted}))
        return tuple(sorted(map(_found, listed), key=lambda each: each.name))

    def create(self, workload: Workload, fence: Fence, taken: Iterable[str]) -> Found:
        """Creates the next replica's container, not started; `taken` are the names that its kind has."""
        name = self._free_name(workload, set(taken))
        address = self._free_address()

        def create(client: APIClient) -> str:
            made: str = client.create_container(**self._policy(client, workload, fence, name, address))["Id"]
            return made

        made = self.engine.briefly(create, 60)
        return Found(made, name, workload.app, workload.release, workload.generation, "created", address)

    def keep_up(self, container: str) -> None:
        """Lets the engine restart it from now on: it has passed its gate."""
        self.engine.briefly(lambda client: client.update_container(container, restart_policy=_STAYS))

    def _free_name(self, workload: Workload, taken: set[str]) -> str:
        end = f"-{self._instance}" if self._instance else ""
        name = f"norn-{workload.app}-r{workload.release}-g{workload.generation}"
        return next(free for n in range(1, 10_000) if (free := f"{name}-{n}{end}") not in taken)

    def _free_address(self) -> str:
        """Answers an address for a container to keep: a restart must not move it away from its row.

        Chosen at random: two workers that choose in the same moment, before either's container is listed, would meet.
        """
        network = ipaddress.ip_network(self.prepare()["IPAM"]["Config"][0]["Subnet"])
        listed = self.engine.briefly(lambda client: client.containers(all=True, filters={"network": NETWORK}))
        taken = {_address(each) for each in listed}
        while True:
            # The first ones are the engine's own: the network, its gateway, and what it gives to guests.
            address = str(network[2 + secrets.randbelow(network.num_addresses - 3)])
            if address not in taken:
                return address

    def _policy(self, client: APIClient, workload: Workload, fence: Fence, name: str, address: str) -> dict[str, Any]:
        """Answers the arguments of `create_container` for a replica.

        It keeps the capabilities that ordinary images need, and can gain no others. Only after its gate does the
        engine restart it, so that an end before is seen as one.
        """
        aliases = [workload.internal_host] if workload.port is not None and workload.internal_host else []
        mine = labels(workload.app, f"release:{workload.app}:{workload.release}", fence)
        return {
            "name": name,
            "image": workload.image,
            "entrypoint": list(workload.argv) if workload.argv is not None else None,
            "environment": dict(workload.env),
            "labels": mine | {INSTANCE: self._instance}
            | {RELEASE: str(workload.release), GENERATION: str(workload.generation)},
            "networking_config": {
                "EndpointsConfig": {NETWORK: {"Aliases": aliases, "IPAMConfig": {"IPv4Address": address}}}
            },
            "host_config": client.create_host_config(
                network_mode=NETWORK,
                security_opt=["no-new-privileges:true"],
                mem_limit=workload.memory,
                memswap_limit=workload.memory,
                nano_cpus=int(workload.cpus * 1_000_000_000) if workload.cpus is not None else None,
                log_config=_LOG,
            ),
        }  # fmt: skip


def _found(listed: dict[str, Any]) -> Found:
    marks = listed["Labels"]
    return Found(
        id=listed["Id"],
        name=listed["Names"][0].lstrip("/") if listed["Names"] else listed["Id"][:12],
        app=marks[APP],
        release=int(marks.get(RELEASE, 0)),
        generation=int(marks[GENERATION]),
        state=listed["State"],
        address=_address(listed),
    )


def _address(listed: dict[str, Any]) -> str:
    endpoint = listed["NetworkSettings"]["Networks"].get(NETWORK) or {}
    return str((endpoint.get("IPAMConfig") or {}).get("IPv4Address") or endpoint.get("IPAddress") or "")
