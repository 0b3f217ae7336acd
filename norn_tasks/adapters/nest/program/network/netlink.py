"""Connects sandboxes to the network with requests to the kernel's routing socket, which is faster than starting the
program `ip`.
"""

from __future__ import annotations

import os
import socket
import struct

_NEW_LINK, _SET_LINK, _NEW_ADDRESS, _NEW_ROUTE = 16, 19, 20, 24
_REQUEST, _ACKNOWLEDGE, _CREATE = 1, 4, 0x600
_UP = 1
_ADDRESS, _LOCAL, _NAME, _MASTER, _INFO, _NAMESPACE = 1, 2, 3, 10, 18, 28
_KIND, _DATA, _PEER = 1, 2, 1
_PORT, _ISOLATED, _NESTED = 12, 33, 0x8000
_GATEWAY, _INTERFACE = 5, 4
INSIDE = 77
"""The index of the interface inside a sandbox."""


class Netlink:
    """A routing socket in the network namespace of the thread that opened it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._count = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def pair(self, index: int, name: str, namespace: int) -> None:
        """Creates a pair of connected interfaces: one here, and one named eth0 in the network namespace that the
        descriptor refers to.
        """
        peer = _link(INSIDE) + _attribute(_NAME, b"eth0\0") + _attribute(_NAMESPACE, struct.pack("I", namespace))
        info = _attribute(_KIND, b"veth") + _attribute(_DATA, _attribute(_PEER, peer))
        named = _attribute(_NAME, name.encode() + b"\0")
        self._ask(_NEW_LINK, _CREATE, _link(index) + named + _attribute(_INFO, info))

    def port(self, index: int, bridge: int) -> None:
        """Makes an interface a port of a bridge, isolated from the bridge's other ports, and starts it."""
        self._ask(_NEW_LINK, 0, _link(index, _UP) + _attribute(_MASTER, struct.pack("I", bridge)))
        family = struct.pack("BBHiII", socket.AF_BRIDGE, 0, 0, index, 0, 0)
        isolated = _attribute(_PORT | _NESTED, _attribute(_ISOLATED, b"\1"))
        self._ask(_SET_LINK, 0, family + isolated)

    def start(self, index: int) -> None:
        """Starts an interface."""
        self._ask(_NEW_LINK, 0, _link(index, _UP))

    def address(self, index: int, address: str, prefix: int) -> None:
        """Gives an interface an address."""
        packed = socket.inet_aton(address)
        head = struct.pack("BBBBI", socket.AF_INET, prefix, 0, 0, index)
        self._ask(_NEW_ADDRESS, _CREATE, head + _attribute(_LOCAL, packed) + _attribute(_ADDRESS, packed))

    def default_route(self, index: int, gateway: str) -> None:
        """Sends all other traffic to a gateway."""
        head = struct.pack("BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 4, 0, 1, 0)
        by = _attribute(_GATEWAY, socket.inet_aton(gateway)) + _attribute(_INTERFACE, struct.pack("I", index))
        self._ask(_NEW_ROUTE, _CREATE, head + by)

    def _ask(self, kind: int, flags: int, body: bytes) -> None:
        self._count += 1
        head = struct.pack("IHHII", 16 + len(body), kind, _REQUEST | _ACKNOWLEDGE | flags, self._count, 0)
        self._socket.send(head + body)
        (number,) = struct.unpack_from("i", self._socket.recv(65536), 16)
        if number:
            raise OSError(-number, f"netlink {kind}: {os.strerror(-number)}")


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def _link(index: int, flags: int = 0) -> bytes:
    return struct.pack("BBHiII", 0, 0, 0, index, flags, flags)
