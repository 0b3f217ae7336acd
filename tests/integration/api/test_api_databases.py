"""Databases over the API: lists, jobs, and the file of a snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.job import Fence, JobKind
from norn_tasks.domain.services import Dump, Grant, ServiceKind, SnapshotReason
from norn_tasks.store.apps import services, snapshots
from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Api:
    """An application with the app `shop`, which has a complete snapshot 1 and a complete backup 2."""
    api = factories.api(database, data_dir=tmp_path)
    shared.add_live(database, "shop", "worker", "services: {postgres: {database: shop_db}}\n")
    grant = Grant(ServiceKind.POSTGRES, ("shop_db",))
    with database.transaction() as tx:
        services.reserve(tx, "shop", (grant,))
        services.made(tx, "shop", grant)
        for reason in (SnapshotReason.MANUAL, SnapshotReason.BACKUP):
            job = shared.add_job(tx, JobKind.SNAPSHOT, "shop")
            one = snapshots.reserve(tx, "shop", "shop_db", reason, Fence(job, 1))
            snapshots.taken(tx, one.id, Dump(5, {"public.orders": 3}))
    return api


def test_databases_and_snapshots_are_listed(shop: Api) -> None:
    (database,) = shop.get("/api/databases").json["items"]
    assert (database["app"], database["name"], database["bytes"]) == ("shop", "shop_db", None)
    listed = shop.get("/api/apps/shop/snapshots").json["items"]
    assert [(each["file"], each["rows"]) for each in listed] == [("shop-2.backup", 3), ("shop-1.dump", 3)]
    assert shop.asked_as(Scope.READ, apps=("blog",)).get("/api/databases").json["items"] == []


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("snapshots", {}, "snapshot"),
        ("snapshots", {"backup": True}, "snapshot"),
        ("snapshots/1/restore", {}, "restore"),
        ("drill", {}, "drill"),
    ],
)
def test_work_on_a_database_is_a_job_of_its_kind(shop: Api, path: str, body: dict[str, object], kind: str) -> None:
    answer = shop.ask("POST", f"/api/apps/shop/{path}", json=body)
    assert (answer.status_code, answer.json["kind"]) == (202, kind)
    assert shop.asked_as(Scope.READ).ask("POST", f"/api/apps/shop/{path}", json=body).status_code == 403


def test_the_file_of_a_snapshot_is_for_those_who_may_deploy(shop: Api, tmp_path: Path) -> None:
    for directory, name in (("snapshots", "shop-1.dump"), ("backups", "shop-2.backup")):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / name).write_bytes(name.encode())
    assert shop.get("/api/apps/shop/snapshots/1/file").data == b"shop-1.dump"
    assert shop.get("/api/apps/shop/snapshots/2/file").data == b"shop-2.backup"
    assert shop.asked_as(Scope.READ).get("/api/apps/shop/snapshots/1/file").status_code == 403
    assert shop.get("/api/apps/blog/snapshots/1/file").status_code == 404


def test_downloads_and_refused_downloads_of_a_snapshot_are_in_the_audit(shop: Api, tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "shop-1.dump").write_bytes(b"rows")
    file = "/api/apps/shop/snapshots/1/file"
    shop.get(file)
    shop.asked_as(Scope.READ).get(file)
    rows = [(row["method"], row["path"], row["status"]) for row in shop.get("/api/audit").json["items"]]
    assert rows == [("GET", file, 403), ("GET", file, 200)]


def test_a_file_that_is_elsewhere_is_not_found_and_the_hint_says_where(shop: Api) -> None:
    answer = shop.get("/api/apps/shop/snapshots/1/file")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert "copy it from the machine of the deploy worker" in answer.json["hint"]
