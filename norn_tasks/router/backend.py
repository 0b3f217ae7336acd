"""A replica as the router holds it: how many requests are open on it, and its idle connections."""

from __future__ import annotations

import asyncio

import h11

from norn_tasks.router.wire import Wire

CONNECT_SECONDS = 3.0
IDLE_SECONDS = 4.0
"""A connection is closed after so long without a request: before Node's 5 s, so that servers rarely close first."""
IDLE_MAX = 128
REST_SECONDS = 1.0
"""How long a replica that did not accept a connection is asked last."""


class RefusedError(Exception):
    """A replica did not accept a connection."""


class Backend:
    """A replica's address, its count of open requests, and its pool."""

    def __init__(self, container: str, address: str) -> None:
        self.container = container
        self.address = address
        self.open = 0
        self.rests_until = 0.0
        self._retired = False
        self._idle: list[tuple[Wire, float]] = []

    def take(self) -> Wire | None:
        """Answers the connection that was used last and is still good, None when there is none."""
        while self._idle:
            wire, _ = self._idle.pop()
            if wire.usable:
                wire.on_end = None
                return wire
            wire.close()
        return None

    async def connect(self) -> Wire:
        """Opens a fresh connection; raises RefusedError, and then the replica rests for a moment."""
        host, _, port = self.address.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, wire = await loop.create_connection(lambda: Wire(h11.CLIENT), host.strip("[]"), int(port))
        except (OSError, TimeoutError) as error:
            self.rests_until = loop.time() + REST_SECONDS
            raise RefusedError(self.address) from error
        return wire

    def give(self, wire: Wire) -> None:
        """Takes a connection back after an exchange: kept when it can carry another one, closed else."""
        if self._retired or len(self._idle) >= IDLE_MAX or not wire.next_cycle() or not wire.usable:
            wire.close()
            return
        wire.on_end = wire.close
        self._idle.append((wire, asyncio.get_running_loop().time()))

    def sweep(self, now: float) -> None:
        """Closes what has been idle for too long."""
        for wire, since in self._idle:
            if now - since > IDLE_SECONDS or not wire.usable:
                wire.close()
        self._idle = [(wire, since) for wire, since in self._idle if wire.usable]

    def retire(self) -> None:
        """Takes no new requests from now on: idle connections close, busy ones when their exchange ends."""
        self._retired = True
        for wire, _ in self._idle:
            wire.close()
        self._idle.clear()
