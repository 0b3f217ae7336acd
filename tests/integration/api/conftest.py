"""What the API's tests may ask for."""

from __future__ import annotations

import pytest

from norn_tasks.store.session import Database
from tests.integration.api import factories
from tests.integration.api.factories import Api
from tests.servers import Broker


@pytest.fixture
def api(database: Database) -> Api:
    """An application over a fresh database, asked as admin; its broker is away."""
    return factories.api(database)


@pytest.fixture
def connected(database: Database, broker: Broker) -> Api:
    """An application with a broker, asked as admin."""
    return factories.api(database, broker.url)
