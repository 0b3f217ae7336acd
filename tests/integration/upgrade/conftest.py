"""Control planes over copies of a migrated old database, as if the old version had just been stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from norn_tasks.store.database.session import Database
from tests.servers import Postgres
from tests.upgrade import database as dump
from tests.upgrade.kit import Plane

Copies = Callable[[], Plane]


@pytest.fixture(scope="module")
def copies(
    postgres: Postgres, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copies]:
    """Makes control planes over copies of the upgraded database."""
    original = f"{request.module.__name__.rpartition('.')[2]}_{os.getpid()}"
    dump.upgraded(postgres, original)
    made: list[tuple[Plane, str]] = []

    def copy() -> Plane:
        name = f"{original}_{len(made)}"
        database = Database(dump.copied(postgres, original, name), pool=5, overflow=10)
        made.append((Plane(database, tmp_path_factory.mktemp("plane")), name))
        return made[-1][0]

    yield copy
    for plane, name in made:
        plane.close()
        plane.database.dispose()
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
    postgres.execute(f"DROP DATABASE {original} WITH (FORCE)")


@pytest.fixture(scope="module")
def plane(copies: Copies) -> Plane:
    """A control plane that tests only read."""
    return copies()


@pytest.fixture
def own(copies: Copies) -> Plane:
    """A control plane that the test may change."""
    return copies()
