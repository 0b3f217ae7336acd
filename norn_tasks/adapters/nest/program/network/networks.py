"""The networks of sandboxes: network namespaces that are created in advance and used once, behind a bridge in the nest
container.

A namespace is never used again, because a late packet of one run could otherwise reach the next run.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
from collections import deque
from pathlib import Path

from norn_tasks.adapters.nest.program import kernel
from norn_tasks.adapters.nest.program.network.netlink import INSIDE, Netlink

GATEWAY = "198.18.0.1"
"""The bridge's address. RFC 2544 reserves its range for benchmarks, so other networks do not use it."""
_SUBNET, _PREFIX = "198.18", 16
_BRIDGE = "nest0"
_AHEAD = 8
_PATIENCE = 20.0
_FIRST_INDEX, _ADDRESSES = 1000, 60000
_RULES = f"""
table inet nest {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
    iifname "{_BRIDGE}" oifname "{_BRIDGE}" drop
    iifname "{_BRIDGE}" ip daddr 169.254.0.0/16 drop
  }}
  chain input {{
    type filter hook input priority 0; policy accept;
    iifname "{_BRIDGE}" udp dport 53 accept
    iifname "{_BRIDGE}" tcp dport 53 accept
    iifname "{_BRIDGE}" drop
  }}
  chain outgoing {{
    type nat hook postrouting priority 100;
    ip saddr {_SUBNET}.0.0/{_PREFIX} oifname != "{_BRIDGE}" masquerade
  }}
}}
"""
log = logging.getLogger(__name__)


class Networks:
    """Network namespaces that are ready for a run."""

    def __init__(self, directory: Path) -> None:
        """Creates the bridge and its firewall rules; raises OSError or CalledProcessError."""
        self._directory, self._count = directory, 0
        self._ready: deque[Path] = deque()
        self._used: set[int] = set()
        self._changed = threading.Condition()
        self._own = os.open("/proc/self/ns/net", os.O_RDONLY)
        directory.mkdir(parents=True, exist_ok=True)
        for words in (
            f"link add {_BRIDGE} type bridge", f"addr add {GATEWAY}/{_PREFIX} dev {_BRIDGE}", f"link set {_BRIDGE} up"
        ):  # fmt: skip
            subprocess.run(["ip", *words.split()], check=True)
        self._bridge = socket.if_nametoindex(_BRIDGE)
        subprocess.run(["nft", "-f", "-"], input=_RULES.encode(), check=True)
        threading.Thread(target=self._keep, daemon=True).start()

    def take(self) -> Path:
        """Returns a namespace for one run; waits until one is ready, and raises OSError if that takes too long."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._ready, _PATIENCE):
                raise OSError(f"no network was ready within {_PATIENCE:g} s")
            taken = self._ready.popleft()
            self._changed.notify_all()
            return taken

    def drop(self, namespace: Path) -> None:
        """Removes the namespace of a run that has ended."""
        kernel.unmount(str(namespace))
        namespace.unlink()
        self._used.discard(int(namespace.name) % _ADDRESSES)

    def _keep(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: len(self._ready) < _AHEAD)
            try:
                made = self._made()
            except OSError as error:
                log.warning("no network: %s", error)
                self._used.discard(self._count % _ADDRESSES)
                time.sleep(1)
                continue
            with self._changed:
                self._ready.append(made)
                self._changed.notify_all()

    def _made(self) -> Path:
        self._count += 1
        while self._count % _ADDRESSES in self._used:  # a long run still uses this address
            self._count += 1
        self._used.add(self._count % _ADDRESSES)
        high, low = divmod(self._count % _ADDRESSES, 250)
        address, path = f"{_SUBNET}.{high}.{low + 2}", self._directory / str(self._count)
        path.touch()
        kernel.unshare(kernel.NEW_NETWORK)
        try:
            kernel.mount("/proc/thread-self/ns/net", str(path), "none", kernel.BIND)
            # As in Docker's containers, programs without privileges may listen on any port and may send pings.
            _set("ip_unprivileged_port_start", "0")
            _set("ping_group_range", "0 65535")
            inner = Netlink()
        finally:
            kernel.enter(self._own, kernel.NEW_NETWORK)
        with inner, Netlink() as outer:
            self._connect(outer, inner, path, address)
        return path

    def _connect(self, outer: Netlink, inner: Netlink, path: Path, address: str) -> None:
        index = _FIRST_INDEX + self._count
        namespace = os.open(path, os.O_RDONLY)
        try:
            outer.pair(index, f"n{self._count}", namespace)
        finally:
            os.close(namespace)
        outer.port(index, self._bridge)
        inner.start(1)
        inner.start(INSIDE)
        inner.address(INSIDE, address, _PREFIX)
        inner.default_route(INSIDE, GATEWAY)


def _set(name: str, value: str) -> None:
    try:
        Path(f"/proc/sys/net/ipv4/{name}").write_text(value)
    except OSError as error:
        log.warning("%s: %s", name, error)
