"""A replica from the router's view: the number of its open requests, and its idle connections."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic

from norn_tasks.router.replica import ReplicaConnection

CONNECT_SECONDS = 3.0
IDLE_SECONDS = 4.0
"""An idle connection is closed after this time. This is shorter than Node's 5 s, so that servers rarely close first."""
IDLE_MAX = 128
REST_SECONDS = 1.0
"""For this time, a replica that did not accept a connection is only chosen if there is no other."""


KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 6}
"""How the kernel probes a silent connection; a system that lacks an option has a default of its own."""


class ReplicaUnreachable(Exception):
    """Raised when a replica did not accept a connection."""


class Backend:
    """A replica's address, its count of open requests, and its pool of idle connections."""

    def __init__(self, container: str, address: str) -> None:
        self.container = container
        self.address = address
        self.open = 0
        self.rests_until = 0.0
        self._retired = False
        self._idle: list[tuple[ReplicaConnection, float]] = []
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)

    def take(self) -> ReplicaConnection | None:
        """Returns the most recently used connection that still works; None if there is none."""
        while self._idle:
            connection, _ = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    async def connect(self) -> ReplicaConnection:
        """Opens a new connection. If that fails, raises ReplicaUnreachable, and the replica is avoided for a moment."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                loop = asyncio.get_running_loop()
                transport, connection = await loop.create_connection(ReplicaConnection, self._host, self._port)
            _keep_alive(transport)
        except (OSError, TimeoutError) as error:
            self.rests_until = monotonic() + REST_SECONDS
            raise ReplicaUnreachable(self.address) from error
        return connection

    def give(self, connection: ReplicaConnection) -> None:
        """Stores a connection that can carry another request; closes it if the pool is full or the replica is
        retired.
        """
        if self._retired or len(self._idle) >= IDLE_MAX or not connection.usable:
            connection.close()
        else:
            self._idle.append((connection, monotonic()))

    def sweep(self, now: float) -> None:
        """Closes connections that have been idle for too long."""
        kept = []
        for connection, since in self._idle:
            if now - since > IDLE_SECONDS or not connection.usable:
                connection.close()
            else:
                kept.append((connection, since))
        self._idle = kept

    def retire(self) -> None:
        """Accepts no new requests from now on. Idle connections close now, busy ones when their exchange ends."""
        self._retired = True
        for connection, _ in self._idle:
            connection.close()
        self._idle.clear()


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    """Lets the kernel probe a silent connection.

    A replica that drains loses its network for a moment, and the firewall of the machine forgets its connections then.
    If only the replica sends after that, the firewall may drop its packets as unknown, until the router sends a probe.
    """
    opened = transport.get_extra_info("socket")
    if opened is None:
        return
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
