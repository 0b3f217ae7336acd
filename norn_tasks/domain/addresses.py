"""Which addresses are of the public internet: everything that an app names and Norn connects to must be at one.

Not loopback, private, link-local or metadata addresses, nor multicast, however they are written (security.md 3, 13).
"""

from __future__ import annotations

import socket
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")
_NEVER_PUBLIC = ("localhost", "localdomain", "ip6-localhost", "ip6-loopback", "local", "internal")
"""Last parts of names that lead to this machine or its own network (RFC 6761, RFC 6762, ICANN 2024)."""


def public(text: str) -> bool:
    """True for an address of the public internet; an IPv4 address inside an IPv6 one counts as what it is."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:  # RFC 6052: an IPv4 address in the last 32 bits
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        address = inner or address
    return address.is_global and not address.is_multicast


def inward(host: str) -> bool:
    """True for a URL's host that is written as an address which is not public, or is a name for this machine.

    Any other name may lead inwards as well: that is seen only by whoever resolves it.
    """
    # A browser's dots and digits are ASCII's to whoever connects (UTS 46).
    plain = unicodedata.normalize("NFKC", host).replace("\u3002", ".").strip("[]").rstrip(".")
    address = _written(plain)
    return not public(address) if address is not None else plain.lower().rpartition(".")[2] in _NEVER_PUBLIC


def _written(host: str) -> str | None:
    """Answers the address that a host is written as, in any spelling that a resolver takes: 127.1, 0x7f000001, …"""
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return str(IPv4Address(socket.inet_aton(host)))
    except (OSError, ValueError):
        return None
