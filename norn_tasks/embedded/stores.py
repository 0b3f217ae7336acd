"""The two stores of one start: the operator's own, or embedded ones, made ready to be supervised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.embedded import broker, postgres
from norn_tasks.embedded.account import Account, choose
from norn_tasks.embedded.places import Places
from norn_tasks.embedded.postgres import Server
from norn_tasks.embedded.program import Program
from norn_tasks.embedded.progress import step
from norn_tasks.settings import Settings
from norn_tasks.store.session import Database


@dataclass(frozen=True)
class Store:
    """One store: what to call it, its URL, its process when it is ours to start, and how to ask what is wrong with it.

    `trouble` answers a sentence, empty when the store answers.
    """

    title: str
    url: str
    trouble: Callable[[], str]
    program: Program | None = None

    def answers(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.trouble()


def prepare(settings: Settings, where: Places) -> tuple[Store, Store]:
    """Answers database and broker, making what they need on disk; starts nothing. Raises NotStarted."""
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
    """Gives a database with one connection, which ends with the block."""
    database = Database(url, pool=1)
    try:
        yield database
    finally:
        database.dispose()


def database_trouble(url: str) -> str:
    """Answers why no transaction can be had from the database, nothing when one can."""
    with opened(url) as database:
        try:
            with database.transaction():
                return ""
        except DatabaseDown as error:
            return error.sentence


def _database(server: Server, where: Places, account: Account) -> Store:
    title = f"PostgreSQL {server.major}"
    if not where.postgres.exists():
        with step(f"making a database cluster with {server.bin}"):
            postgres.initialise(server, where, account)
    url = postgres.url(where)
    return Store(title, url, lambda: database_trouble(url), postgres.program(server, where, account))


def _given_database(url: str) -> Store:
    return Store("the database of NORN_DATABASE_URL", url, lambda: database_trouble(url))


def _broker(binary: Path, where: Places, account: Account) -> Store:
    door = broker.new_door()
    title = f"the broker ({binary.name})"
    return Store(title, door.url, lambda: broker.trouble(door), broker.program(binary, door, where, account))


def _given_broker(url: str) -> Store:
    """Answers the operator's broker, which is not waited for: Norn can do without one for a while."""
    return Store("the broker of NORN_BROKER_URL", url, lambda: "")
