"""Allows one router per machine and Norn. A second one waits, because it would find every port taken by the first.

The router that holds the socket's name greets every process that connects, and hands its sockets over to a router that
will replace it. On a system without abstract socket names, this check does nothing.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
import threading
from typing import Protocol

from norn_tasks.router.handover import SERVING, TAKE_OVER, Successor
from norn_tasks.router_socket import FILES_MAX, PEER_SECONDS, RouterProcess, peer_of, reach, receive, send

READY_SECONDS = 600.0
"""The most seconds between a successor's first message and the moment at which it serves."""


class Addresses(Protocol):
    """The addresses that a router has opened. These methods are called from the thread that answers at the socket."""

    def listening(self) -> tuple[str, ...]:
        """Returns the apps whose port is open."""

    def files(self) -> list[tuple[str, int]]:
        """Returns address and descriptor of each listening socket."""

    def hand_over(self, successor: Successor) -> None:
        """Accepts no new connections from now on, because another router serves."""


class SoleRouter:
    """The right to open the addresses of one Norn on this machine."""

    def __init__(self, name: str, addresses: Addresses) -> None:
        self._name = name
        self._addresses = addresses
        self._server: socket.socket | None = None
        self._answering: threading.Thread
        self._handing_over = threading.Lock()

    def acquire(self) -> RouterProcess | None:
        """Returns None if this process now has the right, otherwise the process that has it; may take a moment."""
        if not sys.platform.startswith("linux"):
            return None
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            ours.bind(self._name)
        except OSError as error:
            ours.close()
            if error.errno != errno.EADDRINUSE:
                raise
            other = self._other()
            return other if other.believed else None
        ours.listen()
        self._server = ours
        self._answering = threading.Thread(target=self._answer, args=(ours,), name="router-socket", daemon=True)
        self._answering.start()
        return None

    def _other(self) -> RouterProcess:
        """Returns the process that has the name; its pid is 0 if it has just ended or does not answer."""
        reached = reach(self._name)
        if reached is None:
            return RouterProcess(0, 0)
        connection, other = reached
        connection.close()
        return other

    def _answer(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # this router has released the right
                return
            threading.Thread(target=self._meet, args=(connection,), name="router-peer", daemon=True).start()

    def _meet(self, connection: socket.socket) -> None:
        """Talks to one process that connected. If it disconnects or sends an invalid message, only its own connection
        ends.
        """
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as closing:
            closing.callback(connection.close)
            connection.settimeout(PEER_SECONDS)
            if RouterProcess(*peer_of(connection)).believed and self._offer(connection):
                closing.pop_all()
                self._addresses.hand_over(Successor(connection))

    def _offer(self, connection: socket.socket) -> bool:
        """Greets a process; returns True if it is a router that now serves on this router's sockets."""
        send(connection, {"apps": len(self._addresses.listening())})
        if receive(connection).content.get("do") != TAKE_OVER:
            return False
        with self._handing_over:
            return self._hand_over(connection)

    def _hand_over(self, connection: socket.socket) -> bool:
        files = self._addresses.files()
        for start in range(0, len(files), FILES_MAX):
            addresses, some = zip(*files[start : start + FILES_MAX], strict=True)
            send(connection, {"more": True, "addresses": addresses}, some)
        send(connection, {"more": False})
        connection.settimeout(READY_SECONDS)
        if receive(connection).content.get("do") != SERVING or self._server is None:
            return False
        self.release()
        send(connection, {"released": True})
        return True

    def release(self) -> None:
        """Releases the right."""
        server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # ends a waiting accept()
            server.close()
            self._answering.join(PEER_SECONDS)  # the thread holds the name until accept() returns
