"""The replacement of a router by a new one, without a refused or lost request.

The new router gets the listening sockets themselves, so that connections waiting in them are not lost. It reads its
routing table and reports that it serves; then the old router accepts no more connections. The old router still answers
requests of its clients, and ends when they have disconnected. Until then, a replica that is being removed counts as
drained only if neither router has an open request to it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping

from norn_tasks.router_socket import reach, receive, send

RELEASE_SECONDS = 10.0
"""Seconds that the old router may take to give up the right to the addresses."""
TAKE_OVER, SERVING = "take over", "serving"


class Successor:
    """The router that has replaced this one, while this one still has clients."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setblocking(False)

    def drained(self, container: str) -> None:
        """Reports a replica that is being removed and to which this router has no open request. A lost report is
        repeated later.
        """
        with contextlib.suppress(OSError):
            send(self._connection, {"drained": container})

    def connections(self, counts: Mapping[str, int]) -> None:
        """Reports how many connections this router has open on each of these replicas."""
        for container, count in counts.items():
            with contextlib.suppress(OSError):
                send(self._connection, {"open": container, "count": count})


class InheritedSockets:
    """Listening sockets of another router, by the address at which that router opened them."""

    def __init__(self, sockets: Iterable[tuple[str, int]] = ()) -> None:
        self._sockets: dict[str, list[socket.socket]] = {}
        for address, file in sockets:
            self._sockets.setdefault(address, []).append(socket.socket(fileno=file))

    def take(self, address: str) -> list[socket.socket]:
        """Returns the sockets of an address, which then belong to the caller."""
        return self._sockets.pop(address, [])

    def close(self) -> None:
        """Closes the sockets that were not taken."""
        for sockets in self._sockets.values():
            for each in sockets:
                each.close()
        self._sockets.clear()


class Predecessor:
    """The router that this one replaces; `sockets` are its listening sockets."""

    def __init__(self, connection: socket.socket, sockets: InheritedSockets) -> None:
        self._connection = connection
        self.sockets = sockets

    def replace(self) -> None:
        """Reports that this router serves, and waits until the old one has released its right to the addresses or has
        ended.
        """
        with contextlib.suppress(OSError, ValueError):
            self._connection.settimeout(RELEASE_SECONDS)
            send(self._connection, {"do": SERVING})
            receive(self._connection)

    def follow(
        self, drained: Callable[[str], None], counted: Callable[[str, int], None], gone: Callable[[], None]
    ) -> None:
        """Calls `drained` with each container on which the predecessor has no request open, and `gone` when the
        predecessor has ended.

        Calls `counted` with a container that leaves or drains, and with the number of connections that the predecessor
        has open there.
        """
        calls = (drained, counted, gone)
        threading.Thread(target=self._follow, args=calls, name="router-predecessor", daemon=True).start()

    def _follow(
        self, drained: Callable[[str], None], counted: Callable[[str, int], None], gone: Callable[[], None]
    ) -> None:
        self._connection.settimeout(None)
        with contextlib.suppress(OSError, ValueError), self._connection:
            while content := receive(self._connection).content:
                if "drained" in content:
                    drained(str(content["drained"]))
                elif "open" in content:
                    counted(str(content["open"]), int(content["count"]))
        gone()


def take_over(name: str) -> Predecessor | None:
    """Returns the router with this name, and its sockets; None if it does not exist or does not hand its
    sockets over.
    """
    reached = reach(name)
    if reached is None:
        return None
    connection, router = reached
    files: list[tuple[str, int]] = []
    try:
        if router.pid == os.getpid() or router.apps is None:
            raise OSError("it does not answer, or is not ours")
        send(connection, {"do": TAKE_OVER})
        while (message := receive(connection)).content.get("more"):
            files += zip(message.content["addresses"], message.files, strict=True)
        if "more" not in message.content:
            raise OSError("it has ended")
    except (OSError, ValueError, KeyError):
        connection.close()
        InheritedSockets(files).close()
        return None
    return Predecessor(connection, InheritedSockets(files))


class Drains:
    """The replicas that are being removed and to which neither this router nor its predecessor has an open request."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.waits = False
        """True while the predecessor may have open requests."""
        self._write = write
        self._here: set[str] = set()
        self._there: set[str] = set()

    def here(self, container: str) -> None:
        """Records a replica to which this router has no open request; may be called repeatedly."""
        if not self.waits or container in self._there:
            self._write(container)
        else:
            self._here.add(container)

    def there(self, container: str) -> None:
        """Records a replica to which the predecessor has no open request."""
        self._there.add(container)
        if container in self._here:
            self._write(container)

    def predecessor_gone(self) -> None:
        """Stops waiting for the predecessor."""
        self.waits = False
        for container in self._here:
            self._write(container)
        self._here.clear()
        self._there.clear()
