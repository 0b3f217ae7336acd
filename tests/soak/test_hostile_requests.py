"""Sends all hostile specs and requests to a server with a database; the fast tests send only a part of them."""

from __future__ import annotations

import pytest

from norn_tasks.store.database.session import Database
from tests.integration import test_hostile_requests, test_hostile_specs


@pytest.mark.parametrize("kind", ["text/yaml", "application/json"])
def test_every_spec_meets_no_defect(database: Database, kind: str) -> None:
    assert test_hostile_specs.faults(database, kind, test_hostile_specs.ALL) == []


def test_every_request_meets_no_defect(database: Database) -> None:
    assert test_hostile_requests.defects(database, 1) == []
