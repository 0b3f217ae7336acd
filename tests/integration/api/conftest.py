"""What the API's tests may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from norn_tasks.store.session import Database
from tests.integration.api import factories
from tests.integration.api.factories import Api
from tests.servers import Broker


@pytest.fixture
def api(database: Database) -> Iterator[Api]:
    """An application over a fresh database, asked as admin; its broker is away."""
    api = factories.api(database)
    yield api
    api.services.close()


@pytest.fixture
def connected(database: Database, broker: Broker) -> Iterator[Api]:
    """An application with a broker, asked as admin."""
    api = factories.api(database, broker.url)
    yield api
    api.services.close()
