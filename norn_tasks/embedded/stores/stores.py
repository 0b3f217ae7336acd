"""The two stores of a server (database and broker): the operator's own, or embedded ones, prepared for the
supervisor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.progress import step
from norn_tasks.embedded.stores import broker, postgres
from norn_tasks.embedded.stores.account import Account, choose
from norn_tasks.embedded.stores.postgres import PostgresInstallation
from norn_tasks.embedded.supervision.program import SupervisedProgram
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database


@dataclass(frozen=True)
class Store:
    """One store: its name, its URL, its process if Norn starts it, and its check.

    `trouble` returns a sentence; empty if the store responds.
    """

    title: str
    url: str
    trouble: Callable[[], str]
    program: SupervisedProgram | None = None

    def answers(self) -> bool:
        """Returns True if the store responds."""
        return not self.trouble()


def prepare(settings: Settings, where: DataPaths) -> tuple[Store, Store]:
    """Prepares the directories of database and broker, and returns both; starts nothing. Raises NotStarted if a program
    is missing or no account can run it.
    """
    server = None if settings.database_url else postgres.choose(postgres.found(), where)
    binary = None if settings.broker_url else broker.found()
    needed = [path for path in (server and server.postgres, binary) if path]
    account = choose(where, needed) if needed else Account.own()
    return (
        _database(server, where, account) if server else _given_database(settings.database_url),
        _broker(binary, where, account) if binary else _given_broker(settings.broker_url),
    )


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Yields a database with few connections, which are closed after the block."""
    database = Database(url, pool=2)
    try:
        yield database
    finally:
        database.dispose()


def database_trouble(url: str) -> str:
    """Returns why the database accepts no transaction; empty if it does."""
    with opened(url) as database:
        try:
            with database.transaction():
                return ""
        except DatabaseDown as error:
            return error.sentence


def _database(server: PostgresInstallation, where: DataPaths, account: Account) -> Store:
    title = f"PostgreSQL {server.major}"
    if not where.postgres.exists():
        with step(f"making a database cluster with {server.bin}"):
            postgres.initialise(server, where, account)
    url = postgres.url(where)
    return Store(title, url, lambda: database_trouble(url), postgres.program(server, where, account))


def _given_database(url: str) -> Store:
    return Store("the database of NORN_DATABASE_URL", url, lambda: database_trouble(url))


def _broker(binary: Path, where: DataPaths, account: Account) -> Store:
    door = broker.new_door()
    title = f"the broker ({binary.name})"
    return Store(title, door.url, lambda: broker.trouble(door), broker.program(binary, door, where, account))


def _given_broker(url: str) -> Store:
    """Returns the operator's broker. Norn does not wait for it, because Norn can work without a broker for a while."""
    return Store("the broker of NORN_BROKER_URL", url, lambda: "")
