"""The replacement of a router by another one, without a refused or a lost request.

The new router gets the listening sockets themselves, so that connections that wait in them are not lost. It reads its
table and reports that it serves; then the old one accepts no more connections. The old one answers further requests of
its clients, and ends when they are gone. Until then a replica that leaves is drained only when neither router has a
request open on it.
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
        """Reports a leaving replica on which we have no request open; a report that is lost is repeated later."""
        with contextlib.suppress(OSError):
            send(self._connection, {"drained": container})

    def connections(self, counts: Mapping[str, int]) -> None:
        """Reports how many connections we have open on each of these replicas."""
        for container, count in counts.items():
            with contextlib.suppress(OSError):
                send(self._connection, {"open": container, "count": count})


class InheritedSockets:
    """Listening sockets of another router, by the addresses at which it opened them."""

    def __init__(self, sockets: Iterable[tuple[str, int]] = ()) -> None:
        self._sockets: dict[str, list[socket.socket]] = {}
        for address, file in sockets:
            self._sockets.setdefault(address, []).append(socket.socket(fileno=file))

    def take(self, address: str) -> list[socket.socket]:
        """Returns the sockets of an address; they belong to the caller now."""
        return self._sockets.pop(address, [])

    def close(self) -> None:
        """Closes the sockets that were not taken."""
        for sockets in self._sockets.values():
            for each in sockets:
                each.close()
        self._sockets.clear()


class Predecessor:
    """The router that this one replaces. `sockets` are the ones on which it listens."""

    def __init__(self, connection: socket.socket, sockets: InheritedSockets) -> None:
        self._connection = connection
        self.sockets = sockets

    def replace(self) -> None:
        """Reports that we serve, and waits until that router has given up its right to the addresses or has ended."""
        with contextlib.suppress(OSError, ValueError):
            self._connection.settimeout(RELEASE_SECONDS)
            send(self._connection, {"do": SERVING})
            receive(self._connection)

    def follow(
        self, drained: Callable[[str], None], counted: Callable[[str, int], None], gone: Callable[[], None]
    ) -> None:
        """Calls `drained` with each container on which it has no request open, and `gone` when it has ended.

        Calls `counted` with a container that leaves or drains, and with how many connections it has open there.
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
    """Returns the router that has the name, with its sockets; None if there is none, or it does not hand them over."""
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
    """The leaving replicas on which neither this router nor its predecessor, while there is one, has a request open."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.waits = False
        """True while a predecessor may have requests open."""
        self._write = write
        self._here: set[str] = set()
        self._there: set[str] = set()

    def here(self, container: str) -> None:
        """Notes a replica on which we have no request open; it may be called repeatedly."""
        if not self.waits or container in self._there:
            self._write(container)
        else:
            self._here.add(container)

    def there(self, container: str) -> None:
        """Notes a replica on which the predecessor has no request open."""
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
