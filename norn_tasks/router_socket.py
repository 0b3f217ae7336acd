"""The socket at which the router of a Norn is found on its machine: its name, its messages, and the process behind it.

It is a Unix socket with an abstract name. Like a port, such a name is valid in its network namespace, and the kernel
frees it when the process ends. Only Linux has such names. A message is a JSON object in one packet, which can also
carry open files.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

PEER_SECONDS = 2.0
PACKET_BYTES = 64 * 1024
FILES_MAX = 200
"""The most files in one message (Linux allows 253)."""
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class RouterProcess:
    """A router's process and user, and the number of apps whose addresses it has opened (None if it did not report
    that).
    """

    pid: int
    user: int
    apps: int | None = None

    @property
    def believed(self) -> bool:
        """True if the process belongs to root or to this user. Another user may hold the name only to block
        this Norn.
        """
        return self.user in (0, os.geteuid())


@dataclass(frozen=True)
class Message:
    """A message; empty at the end of the connection. `files` are descriptors that now belong to the receiver."""

    content: Mapping[str, Any]
    files: Sequence[int] = ()


def fingerprint(database_url: str) -> str:
    """Returns a short name for a database, which does not depend on the user and password in the URL."""
    split = urlsplit(database_url)
    host = "127.0.0.1" if split.hostname == "localhost" else split.hostname
    return hashlib.sha256(f"{host}:{split.port or 5432}{split.path}?{split.query}".encode()).hexdigest()[:16]


def name_of(database_url: str) -> str:
    """Returns the socket name of the router that uses this database."""
    return f"\0norn-router-{fingerprint(database_url)}"


def running_router(database_url: str) -> RouterProcess | None:
    """Returns the router of this Norn on this machine; None if there is none, or if another user's process has the
    name.
    """
    reached = reach(name_of(database_url))
    if reached is None:
        return None
    connection, router = reached
    connection.close()
    return router if router.believed else None


def reach(name: str) -> tuple[socket.socket, RouterProcess] | None:
    """Connects to a router, and reads its greeting; returns None if no process has the name.

    The caller closes the connection.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(PEER_SECONDS)
    try:
        connection.connect(name)
        router = RouterProcess(*peer_of(connection))
    except OSError:
        connection.close()
        return None
    with suppress(OSError, ValueError, KeyError):
        if router.believed:
            router = replace(router, apps=int(receive(connection).content["apps"]))
    return connection, router


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """Returns the pid and the user of the process at the other end, as the kernel recorded them."""
    pid, user, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, user


def send(connection: socket.socket, content: Mapping[str, Any], files: Sequence[int] = ()) -> None:
    """Sends a message; raises OSError."""
    socket.send_fds(connection, [json.dumps(content).encode()], files)


def receive(connection: socket.socket) -> Message:
    """Waits for a message; raises OSError, or ValueError for a packet that is not a message."""
    data, files, _, _ = socket.recv_fds(connection, PACKET_BYTES, FILES_MAX)
    content = json.loads(data) if data else {}
    if not isinstance(content, dict):
        raise ValueError(f"no message: {data!r}")
    return Message(content, files)
