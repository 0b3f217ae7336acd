"""Reads in /proc what a container of this machine does: on which sockets it listens, whether it waits for a lock."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path

from norn_tasks.domain.causes import OpenSocket

_LISTENS = "0A"
_PROC = Path("/proc")
_NAME_SERVER = "127.0.0.11"
"""The engine's own name server, which listens in each container of the network."""


def listening(pid: int, ip: str, proc: Path = _PROC) -> tuple[OpenSocket, ...] | None:
    """Returns the sockets on which a container listens, by the id of its first process and its address.

    None if that process is not on this machine, or if no process of this one may look at it.
    """
    if not _is_it(pid, ip, proc):
        return None
    found: set[OpenSocket] = set()
    for name in ("tcp", "tcp6"):
        try:
            found.update(_sockets((proc / str(pid) / "net" / name).read_text()))
        except OSError:
            continue
    own = (each for each in found if each.address != _NAME_SERVER)
    return tuple(sorted(own, key=lambda each: (each.port, each.address)))


def waits_for_lock(pid: int, ip: str, proc: Path = _PROC) -> bool:
    """Returns true if a process of the container waits for a lock on a file that another process holds."""
    if not _is_it(pid, ip, proc):
        return False
    try:
        rows = [line.split() for line in (proc / "locks").read_text().splitlines() if " -> " in line]
        namespace = (proc / str(pid) / "ns" / "pid").readlink()
        return any((proc / row[5] / "ns" / "pid").readlink() == namespace for row in rows if len(row) > 5)
    except OSError:
        return False


def _is_it(pid: int, ip: str, proc: Path) -> bool:
    """Returns true if the process is in a network with the container's address: an engine elsewhere has other ids."""
    if pid <= 0 or not ip:
        return False
    try:
        table = (proc / str(pid) / "net" / "fib_trie").read_text()
    except OSError:
        return False
    own = [
        before for before, line in zip(table.splitlines(), table.splitlines()[1:], strict=False) if "host LOCAL" in line
    ]
    return any(line.split()[-1] == ip for line in own)


def _sockets(table: str) -> Iterator[OpenSocket]:
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTENS:
            address, _, port = fields[1].partition(":")
            yield OpenSocket(_address(address), int(port, 16))


def _address(digits: str) -> str:
    """Returns an address of /proc/net/tcp, which has its 32-bit words in the order of the machine's bytes."""
    words = [bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8)]
    found = ipaddress.ip_address(b"".join(words))
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
