"""`python -m norn_tasks.embedded.services.start postgres|kv`: prepares a server for apps, and becomes the server
process.

Each start looks up the addresses of the bridges, so a server that is restarted listens on the present addresses.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from norn_tasks.domain.errors import NornError
from norn_tasks.embedded.paths import data_paths
from norn_tasks.embedded.services import listening
from norn_tasks.embedded.services.offer import write_private
from norn_tasks.embedded.services.paths import ServicePaths, make, service_paths
from norn_tasks.embedded.stores import broker, postgres
from norn_tasks.embedded.stores.account import Account, choose
from norn_tasks.settings import Settings, load

_PR_SET_PDEATHSIG = 1
_FIRST_STATEMENTS = "".join(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;\n" for name in ("postgres", "template1"))
_ENTRIES = """\
# Written by Norn. Workers come through the socket, which only they can reach; apps from containers, with a password.
local all all trust
host all postgres all reject
host all all all scram-sha-256
"""
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TZ", "SUPERVISOR_SERVER_URL")
"""The environment variables that a server gets. The last one identifies a server whose supervisor was killed."""
_KEYS = """\
bind {addresses}
port {port}
protected-mode no
unixsocket {socket}
unixsocketperm 700
dir {directory}
aclfile {users}
save ""
appendonly yes
appendfsync everysec
maxmemory 256mb
maxmemory-policy noeviction
set-proc-title no
"""


def start_postgres(settings: Settings, where: ServicePaths) -> NoReturn:
    """Creates the database cluster at the first start, and becomes the server process."""
    server = postgres.choose(postgres.found(), where)
    account = _account(settings, where, server.postgres)
    addresses = listening.bridges(settings)
    if not where.postgres.exists():
        postgres.initialise(server, where, account, statements=_FIRST_STATEMENTS, locale="C.UTF-8")
    account.own_file(where.postgres / "pg_hba.conf", _ENTRIES)
    port = listening.port("postgres", addresses, where.note("postgres"))
    url = f"postgresql://postgres@/postgres?host={quote(str(where.stores), safe='')}&port={port}"
    _leave_note(where, "postgres", url, "postgresql", port, addresses)
    given = {
        "listen_addresses": ",".join(addresses),
        "port": port,
        "unix_socket_directories": where.stores,
        "unix_socket_permissions": "0700",
        "max_connections": 200,
        "max_wal_size": "512MB",
        "shared_buffers": "32MB",
        "jit": "off",
        "password_encryption": "scram-sha-256",
        "log_min_error_statement": "panic",
        "logging_collector": "off",
        "log_destination": "stderr",
    }
    options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
    become(account, (str(server.postgres), "-D", str(where.postgres), *options), signal.SIGINT)


def start_kv(settings: Settings, where: ServicePaths) -> NoReturn:
    """Writes the configuration with a new password for workers, and becomes the server process."""
    binary = broker.found()
    account = _account(settings, where, binary)
    addresses = listening.bridges(settings)
    account.own_directory(where.keys)
    password = secrets.token_urlsafe(32)
    socket = where.stores / "kv.sock"
    port = listening.port("kv", addresses, where.note("kv"))
    account.own_file(where.users, _users(where, password))
    account.own_file(
        where.keys / "kv.conf",
        _KEYS.format(addresses=" ".join(addresses), port=port, socket=socket, directory=where.keys, users=where.users),
    )
    _leave_note(where, "kv", f"unix://worker:{password}@{socket}", "redis", port, addresses)
    become(account, (str(binary), str(where.keys / "kv.conf")), signal.SIGTERM)


def _users(where: ServicePaths, password: str) -> str:
    """Returns the users file: the users of apps unchanged, and Norn's own with a new password."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    ours = ("user default off", f"user worker on #{digest} ~* &* +@all")
    before = where.users.read_text().splitlines() if where.users.exists() else []
    others = [line for line in before if line.split()[1:2] not in (["default"], ["worker"])]
    return "\n".join((*ours, *others)) + "\n"


def _account(settings: Settings, where: ServicePaths, program: Path) -> Account:
    account = choose(data_paths(settings.data_dir), [program])
    make(where, account)
    return account


def _leave_note(where: ServicePaths, server: str, url: str, scheme: str, port: int, addresses: tuple[str, ...]) -> None:
    note = {"url": url, "scheme": scheme, "port": port, "addresses": addresses}
    write_private(where.note(server), json.dumps(note))


def become(account: Account, argv: Sequence[str], death: signal.Signals) -> NoReturn:
    """Replaces this process with a program that runs as the account and gets the signal `death` when the supervisor
    dies.
    """
    if account.name:
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death, 0, 0, 0)
    sys.stdout.flush()
    words = (*account.prefix, *argv)
    os.execvpe(words[0], words, _environment(os.environ))  # noqa: S606 - the words are ours


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of a server, without Norn's settings, because they contain passwords."""
    return {name: environ[name] for name in _KEPT if name in environ}


def main() -> int:
    """Starts the server that the command line names; returns an exit code only if that fails."""
    try:
        settings = load()
        where = service_paths(data_paths(settings.data_dir))
        {"postgres": start_postgres, "kv": start_kv}[sys.argv[1]](settings, where)
    except NornError as error:
        print(error.rendered, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
