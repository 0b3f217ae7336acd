"""Files of snapshots over the API: complete, only for users who may deploy the app, and an error if the file is
missing.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from norn_tasks.domain.access import Scope
from norn_tasks.store.database.session import Database
from norn_tasks.store.tables import SnapshotRow
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api


@pytest.fixture
def snapshot(database: Database, tmp_path: Path) -> Api:
    """An application with a snapshot of the app `shop`, without its file."""
    api = factories.api(database, data_dir=tmp_path)
    shared.add_live(database, "shop", "worker")
    row = {"app": "shop", "database": "shop_db", "reason": "manual", "job_id": 1, "bytes": 9}
    with database.transaction() as tx:
        tx.execute(insert(SnapshotRow).values(row))
    (tmp_path / "snapshots").mkdir()
    return api


FILE = "/api/apps/shop/snapshots/1/file"


def test_a_file_arrives_whole_and_only_for_a_deployer_of_the_app(snapshot: Api, tmp_path: Path) -> None:
    (tmp_path / "snapshots/shop-1.dump").write_bytes(b"PGDMP" * 1000)
    answer = snapshot.asked_as(Scope.READ, Scope.DEPLOY).get(FILE)
    assert (answer.data, answer.headers["Cache-Control"]) == (b"PGDMP" * 1000, "no-store")
    assert snapshot.asked_as(Scope.READ).get(FILE).status_code == 403
    assert snapshot.get("/api/apps/other/snapshots/1/file").status_code == 404


def test_a_file_that_is_not_there_or_cannot_be_read_is_not_found(snapshot: Api, tmp_path: Path) -> None:
    missing = snapshot.get(FILE)
    (tmp_path / "snapshots/shop-1.dump").mkdir()
    unreadable = snapshot.get(FILE)
    assert (missing.status_code, unreadable.status_code) == (404, 404)
    assert "is not on the machine of the API" in missing.json["detail"]
    assert "cannot be read by the API: Is a directory" in unreadable.json["detail"]
