"""The network for runs on Incus: a bridge that only runs use, and on which the instance of each run has one address."""

from __future__ import annotations

import contextlib
import random
import threading
from ipaddress import IPv4Interface

from norn_tasks.adapters.incus.api import IncusApi
from norn_tasks.domain.errors import Conflict, NotFound, StepFailed

_MADE = {"ipv4.address": "auto", "ipv4.nat": "true", "ipv6.address": "none"}


class Bridge:
    """The bridge called `name`, which is created if it is missing."""

    def __init__(self, api: IncusApi, name: str) -> None:
        self._api, self.name = api, name
        self._lock = threading.Lock()
        self._gateway: IPv4Interface | None = None

    def gateway(self) -> IPv4Interface:
        """Returns the machine's address on the bridge, with its network; raises StepFailed if it has no address."""
        with self._lock:
            if self._gateway is None:
                self._gateway = IPv4Interface(self._address())
            return self._gateway

    def address(self) -> str:
        """Returns a random address for a run; if another instance has it, Incus will refuse the start."""
        gateway = self.gateway()
        while True:
            chosen = gateway.network[random.randrange(2, gateway.network.num_addresses - 1)]  # noqa: S311 - no secret
            if chosen != gateway.ip:
                return str(chosen)

    def found(self) -> str | None:
        """Returns the bridge's address as Incus reports it; None if there is no such network."""
        try:
            return str(self._api.get(f"/1.0/networks/{self.name}", project="default")["config"].get("ipv4.address", ""))
        except NotFound:
            return None

    def _address(self) -> str:
        address = self.found()
        if address is None:
            document = {"name": self.name, "type": "bridge", "config": _MADE}
            with contextlib.suppress(Conflict):  # another worker has created it first
                self._api.change("POST", "/1.0/networks", document, project="default")
            address = self.found()
        if not address or address == "none":
            raise StepFailed(
                f"the network {self.name} of Incus has no IPv4 address",
                hint=f"incus network set {self.name} ipv4.address auto, or set NORN_INCUS_BRIDGE to another one",
            )
        return address
