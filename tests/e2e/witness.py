"""Notes each start of the code of a function on the machine itself, where no ledger and no engine can be wrong."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker

from norn_tasks.adapters.nest.program import kernel
from tests.e2e.fast_road import address_of
from tests.e2e.stack import Stack
from tests.servers import free_port

_PATIENCE = 60.0
"""Seconds that a call on a busy machine may need between its connection and its number."""


class Witness:
    """A listener to which the code of each call sends its number before it does anything else.

    `namespace`: the file of the network namespace of an engine that has one of its own.
    """

    def __init__(self, stack: Stack, namespace: Path = Path("/proc/self/ns/net")) -> None:
        self.port, self.begun = free_port(), Counter[str]()
        self.host, self._lock = _gateway_of_runs(stack), threading.Lock()
        with _inside(namespace):
            self._listener = socket.create_server(("0.0.0.0", self.port), backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._hear, args=[connection], daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(_PATIENCE)
            number = connection.recv(64).decode().strip()
            with self._lock:
                self.begun[number] += 1

    def twice(self) -> dict[str, int]:
        """Returns the calls whose code began more than once."""
        return {number: count for number, count in self.begun.items() if count > 1}

    def close(self) -> None:
        """Stops listening."""
        self._listener.close()


@contextmanager
def _inside(namespace: Path) -> Iterator[None]:
    """Lets this thread make its sockets in another network namespace until the block ends."""
    own, other = (os.open(path, os.O_RDONLY) for path in ("/proc/self/ns/net", namespace))
    kernel.enter(other, kernel.NEW_NETWORK)
    try:
        yield
    finally:
        kernel.enter(own, kernel.NEW_NETWORK)
        os.close(own)
        os.close(other)


def _gateway_of_runs(stack: Stack) -> str:
    """Returns the address of this machine on the network of runs."""
    client = docker.APIClient(base_url=address_of(stack))
    try:
        return str(client.inspect_network("norn-runs")["IPAM"]["Config"][0]["Gateway"])
    finally:
        client.close()
