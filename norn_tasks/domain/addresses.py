"""Checks whether an address belongs to the public internet. If an app names a host, Norn connects to it only at such an
address.

Loopback, private, link-local, metadata and multicast addresses are not public, in any spelling (docs/security.md 3,
13).
"""

from __future__ import annotations

import socket
import unicodedata
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Protocol

_NAT64 = ip_network("64:ff9b::/96")
_SPECIAL = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # Azure's internal service for virtual machines
            "192.88.99.0/24",  # 6to4 relays (RFC 7526)
            "64:ff9b:1::/48",  # NAT64 of a local network, which may lead to any IPv4 address (RFC 8215)
            "::/96",  # IPv4-compatible (RFC 4291)
            "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
            "fec0::/10",  # site-local (RFC 3879)
            "3fff::/20",  # documentation (RFC 9637)
            "5f00::/16",  # segment routing (RFC 9602)
        ),
    )
)
"""Networks that Python's `is_global` wrongly reports as public, in some or all versions."""

_NEVER_PUBLIC = ("localhost", "localdomain", "ip6-localhost", "ip6-loopback", "local", "internal")
"""Last parts of names that lead to this machine or its own network (RFC 6761, RFC 6762, ICANN 2024)."""


class Resolve(Protocol):
    """A function that returns the addresses of a host, as `socket.getaddrinfo` does."""

    def __call__(self, host: str, port: int, *, type: int) -> Sequence[tuple[Any, ...]]: ...


def public(text: str) -> bool:
    """Returns True for an address of the public internet.

    An IPv6 address that contains an IPv4 address is public only if the IPv4 address is.
    """
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:  # RFC 6052: an IPv4 address in the last 32 bits
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        address = inner or address
    special = any(address in network for network in _SPECIAL)
    return address.is_global and not address.is_multicast and not special


def inward(host: str) -> bool:
    """Returns True if a URL's host is a non-public address, or a name for this machine.

    Any other name may also lead to a private address; only resolving the name shows that.
    """
    # Unicode dots and digits become ASCII when a client connects (UTS 46).
    plain = unicodedata.normalize("NFKC", host).replace("\u3002", ".").strip("[]").rstrip(".")
    address = _written(plain)
    return not public(address) if address is not None else plain.lower().rpartition(".")[2] in _NEVER_PUBLIC


def _written(host: str) -> str | None:
    """Returns the address if the host is one, in any spelling that a resolver accepts (127.1, 0x7f000001, …)."""
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return str(IPv4Address(socket.inet_aton(host)))
    except (OSError, ValueError):
        return None
