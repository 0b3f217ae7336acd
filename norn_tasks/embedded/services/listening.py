"""The addresses on which the servers for apps listen: only the addresses of this machine on Norn's two bridges.

So no client outside of this machine and its containers can reach these servers, no matter what the firewall allows.
"""

from __future__ import annotations

import errno
import json
import socket
import time
from pathlib import Path

from norn_tasks.domain.errors import NornError
from norn_tasks.settings import Settings

PREFERRED = {"postgres": 25432, "kv": 26379}
"""Ports that other programs rarely use. If one is taken, another port is chosen and kept."""
_PAUSE = 2.0


def bridges(settings: Settings) -> tuple[str, ...]:
    """Returns the addresses of the machine on the bridges, which are created if they are missing.

    Waits until the engine answers, and until the machine has the addresses.
    """
    # Imported here, because `wiring` imports every adapter and only a starting server needs one.
    from norn_tasks.wiring import bridge_addresses

    while True:
        try:
            found = bridge_addresses(settings)
        except NornError as error:
            print(f"waiting for the engine: {error.sentence}", flush=True)
        else:
            missing = [each for each in found if _trouble(each, 0)]
            if not missing:
                return found
            print(
                f"waiting: this machine does not have {', '.join(missing)}; is the engine on another machine?",
                flush=True,
            )
        time.sleep(_PAUSE)


def port(server: str, addresses: tuple[str, ...], note: Path) -> int:
    """Waits until the port in the note is free, and returns it, because apps know this port. Without a note, returns
    the preferred port, or any free one.
    """
    try:
        kept = int(json.loads(note.read_text())["port"])
    except (OSError, ValueError, KeyError, TypeError):
        preferred = PREFERRED[server]
        return preferred if not any(_trouble(each, preferred) for each in addresses) else _any_port(addresses)
    while any(_trouble(each, kept) for each in addresses):
        print(f"waiting: the port {kept} is taken by another program, and apps know no other", flush=True)
        time.sleep(_PAUSE)
    return kept


def _any_port(addresses: tuple[str, ...]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((addresses[0], 0))
            chosen = int(probe.getsockname()[1])
        if not any(_trouble(each, chosen) for each in addresses):
            return chosen


def _trouble(address: str, number: int) -> bool:
    """Returns True if a server could not listen on this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, number))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
                raise
            return True
    return False
