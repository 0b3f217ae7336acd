"""Fixtures for the tests of the API."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from norn_tasks.store.database.session import Database
from tests.integration.api import factories
from tests.integration.api.factories import Api
from tests.servers import Broker, Postgres


@pytest.fixture(scope="module")
def lasting(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[Api]:
    """An application for all tests of a module; they must not change anything that another one reads."""
    name = f"lasting_{os.getpid()}_{request.module.__name__.rpartition('.')[2]}"
    postgres.copy_template(name)
    database = Database(postgres.url(name))
    api = factories.api(database)
    yield api
    api.services.close()
    database.dispose()
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def api(database: Database) -> Iterator[Api]:
    """An application over a fresh database, used as admin; its broker does not respond."""
    api = factories.api(database)
    yield api
    api.services.close()


@pytest.fixture
def connected(database: Database, broker: Broker) -> Iterator[Api]:
    """An application with a broker, used as admin."""
    api = factories.api(database, broker.url)
    yield api
    api.services.close()
