"""Fixtures for all tests: a PostgreSQL and a broker for the session, and a fresh, migrated database for each test."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from tests.servers import Broker, Postgres

MEMORY_DISK = Path("/dev/shm")
MEMORY_FREE = 4 << 30
"""The free bytes that the file system in memory must have, so that four servers and the programs under test fit."""

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the end-to-end tests first: they mostly wait, so that the other tests can run at the same time."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


@pytest.fixture(scope="session")
def private_dir() -> Iterator[Path]:
    """A directory of the session's own with a short path, which other users may enter."""
    path = Path(tempfile.mkdtemp(prefix="norn-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(private_dir: Path) -> Iterator[Postgres]:
    """A PostgreSQL server with a migrated database `template` to copy from; its files are in memory if there is room.

    A copy of a database takes 30 ms in memory and 460 ms on the disk of a machine for tests, and thousands are made.
    """
    home = private_dir / "pg"
    if in_memory := MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free >= MEMORY_FREE:
        home = Path(tempfile.mkdtemp(prefix="norn-pg-", dir=MEMORY_DISK))
        home.chmod(0o755)
    server = Postgres(home, max_wal_size="256MB")
    server.execute("CREATE DATABASE template")
    migrate.upgrade(server.url("template"))
    yield server
    server.stop()
    if in_memory:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def broker(private_dir: Path) -> Iterator[Broker]:
    """A broker."""
    server = Broker(private_dir / "broker")
    yield server
    server.stop()


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """The URL of a fresh database with Norn's schema, dropped after the test."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    postgres.copy_template(name)
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh database with Norn's schema."""
    database = Database(database_url, pool=20, overflow=40)
    yield database
    database.dispose()
