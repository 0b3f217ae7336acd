"""Reads two facts about a container of this machine from /proc: the sockets on which it listens, and whether it waits
for a lock on a file.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path

from norn_tasks.domain.causes import OpenSocket

_LISTENS = "0A"
_PROC = Path("/proc")
_NAME_SERVER = "127.0.0.11"
"""The address of the engine's own DNS server, which listens in each container of the network."""


def listening(pid: int, ip: str, proc: Path = _PROC) -> tuple[OpenSocket, ...] | None:
    """Returns the sockets on which a container listens; `pid` is its first process, and `ip` its address.

    Returns None if that process is not on this machine, or if this worker may not read its data.
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
    """Returns True if a process of the container waits for a lock on a file that another process holds."""
    if not _is_it(pid, ip, proc):
        return False
    try:
        rows = [line.split() for line in (proc / "locks").read_text().splitlines() if " -> " in line]
        namespace = (proc / str(pid) / "ns" / "pid").readlink()
        return any((proc / row[5] / "ns" / "pid").readlink() == namespace for row in rows if len(row) > 5)
    except OSError:
        return False


def _is_it(pid: int, ip: str, proc: Path) -> bool:
    """Returns True if the process has the container's address. This detects a process id that belongs to another
    machine.
    """
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
    """Parses an address of /proc/net/tcp, which writes each 32-bit word in the machine's byte order."""
    words = [bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8)]
    found = ipaddress.ip_address(b"".join(words))
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
