"""Finds out whether the containers of runs can reach the engine's machine, or the metadata address of a cloud provider.

The machine has an address on the bridge of the runs' network. The firewall of the machine decides whether containers
can reach it, and the engine does not know the firewall's rules. So a short-lived container tries to connect to both
addresses.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker import networks
from norn_tasks.adapters.docker.client import INSTANCE, OWNER, EngineClient
from norn_tasks.domain.errors import NotFound, StepFailed
from norn_tasks.ports import RunsReach

IMAGE = "busybox:stable"
"""The image of the container that tries to connect; if the engine does not have it, nothing is tried."""
AGAIN = 3600.0
"""Seconds after which the container tries again."""
METADATA = "169.254.169.254"
CLOSES_IO_URING, CLOSES_VSOCK = 25, 23
"""The first versions of Docker whose own seccomp profiles forbid io_uring and AF_VSOCK.

Later releases of Docker 20.10 forbid AF_VSOCK too, but the Docker 20.10 that Debian 12 packages does not.
"""

_PATIENCE = 15.0
_MEMORY = 32 * 2**20
_SCRIPT = """
connects() { timeout 4 nc -w 2 "$@" </dev/null >/dev/null 2>&1; test $? != 1; }
connects $METADATA 80 && echo metadata
connects $HOST $PORT && echo host
test "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null)" = 2 || echo io_uring
grep -q '^AF_VSOCK ' /proc/net/protocols && echo vsock
"""
"""`nc` exits with 1 if it cannot connect within 2 s. If a server accepts and sends nothing, `nc` runs until `timeout`
ends it.
"""


class ReachProbe:
    """Finds out what containers on the runs' network of one engine can reach, and remembers the results for an hour."""

    def __init__(self, client: EngineClient, instance: str) -> None:
        self._client, self._name = client, f"norn-probe-{instance}"
        self._labels = {OWNER: "probe", INSTANCE: instance}
        self._tried_at: float | None = None
        self._tried = RunsReach("")

    def look(self) -> RunsReach:
        """Returns the address at which runs reach the machine, and what the container could reach; raises
        EngineDown.
        """
        address = address_of(networks.ensure(self._client, networks.RUNS, talk=False))
        if self._tried_at is None or time.monotonic() - self._tried_at > AGAIN or self._tried.address != address:
            self._tried, self._tried_at = self._try(address), time.monotonic()
        return self._tried

    def _try(self, address: str) -> RunsReach:
        host, (docker, runc) = address.partition("/")[0], self._client.briefly(_versions)
        with _listening(host) as port:
            try:
                said = self._said({"METADATA": METADATA, "HOST": host, "PORT": str(port or 1)})
            except (NotFound, StepFailed):
                return RunsReach(address, runc=runc)
        io_uring, vsock = "io_uring" in said and docker < CLOSES_IO_URING, "vsock" in said and docker < CLOSES_VSOCK
        return RunsReach(address, "host" in said if port else None, "metadata" in said, io_uring, vsock, runc)

    def _said(self, environment: dict[str, str]) -> list[str]:
        """Runs the container and returns the lines that it printed; raises NotFound if the engine does not have its
        image.
        """
        self._client.take_away(self._name)
        container = self._client.briefly(lambda client: self._create(client, environment))
        try:
            self._client.briefly(lambda client: client.start(container))
            self._client.briefly(lambda client: client.wait(container), _PATIENCE)
            said: bytes = self._client.briefly(lambda client: client.logs(container, stderr=False))
        finally:
            self._client.take_away(container)
        return said.decode().split()

    def _create(self, client: APIClient, environment: dict[str, str]) -> str:
        host_config = client.create_host_config(
            cap_drop=["ALL"], security_opt=["no-new-privileges:true"], read_only=True, pids_limit=16,
            mem_limit=_MEMORY, memswap_limit=_MEMORY, network_mode=networks.RUNS,
        )  # fmt: skip
        made: dict[str, Any] = client.create_container(
            IMAGE, entrypoint=["sh", "-c", _SCRIPT], environment=environment, name=self._name, labels=self._labels,
            host_config=host_config,
        )  # fmt: skip
        return str(made["Id"])


def _versions(client: APIClient) -> tuple[int, str | None]:
    """Returns the major version of the engine (0 if it is not a number), and the version of runc if it is known."""
    found: dict[str, Any] = client.version()
    major = re.match(r"\d+", str(found["Version"]))
    parts = {str(each["Name"]): str(each["Version"]) for each in found.get("Components") or ()}
    return int(major[0]) if major else 0, parts.get("runc")


def address_of(network: dict[str, Any]) -> str:
    """Returns the address that the engine's machine has on the network's bridge, with the length of its prefix."""
    pool = network["IPAM"]["Config"][0]
    return f"{pool['Gateway'].partition('/')[0]}/{pool['Subnet'].partition('/')[2]}"


@contextmanager
def _listening(host: str) -> Iterator[int | None]:
    """Yields a port on which this process listens; None if the engine runs on another machine."""
    try:
        server = socket.create_server((host, 0))
    except OSError:
        yield None
        return
    with server:
        yield server.getsockname()[1]
