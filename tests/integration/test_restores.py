"""Restores and drills (trial restores) on a real server, while apps and other control planes use it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from norn_tasks.adapters.services import Dumps, GivenServer, SharedServers, restoring
from norn_tasks.adapters.services.counting import frozen
from norn_tasks.adapters.services.postgres import CONNECTIONS
from norn_tasks.domain.errors import ServiceDown, StepFailed
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.services import Grant, ServiceKind, Snapshot, SnapshotReason, dump_directories
from norn_tasks.ports import Watch
from tests.fakes.stop import FakeStop, FakeWatch
from tests.servers import Postgres

DATABASE, ROLE = "restored_db", "norn-i1-shop"


class Shop:
    """An app with a database of three rows, and a snapshot of it."""

    def __init__(self, postgres: Postgres, home: Path) -> None:
        self.postgres, self.url = postgres, postgres.url("postgres")
        self.servers = self.with_dumps(Dumps(dump_directories(home, "")))
        grant = Grant(ServiceKind.POSTGRES, (DATABASE,))
        self.credential: Secret = self.servers.credential("shop", grant, None, FakeStop(), apart=False)
        self.servers.make("shop", grant, self.credential, FakeStop())
        self.sql("CREATE TABLE orders AS SELECT generate_series(1, 3) AS id")
        self.snapshot = Snapshot(1, "shop", DATABASE, SnapshotReason.MANUAL, None, datetime.now(UTC), 1)
        self.servers.dump(DATABASE, self.snapshot.file, FakeWatch().watch)

    def with_dumps(self, dumps: Dumps) -> SharedServers:
        """Returns the server of the apps' databases, which makes and restores its dumps with `dumps`."""
        return SharedServers({ServiceKind.POSTGRES: GivenServer(self.url)}, "i1", dumps)

    def sql(self, statement: str) -> list[Any]:
        """Runs a statement with the rights of the app."""
        with contextlib.closing(psycopg2.connect(self.credential.reveal())) as app, app, app.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def databases(self) -> set[str]:
        """Lists the databases that restores and drills have made."""
        with contextlib.closing(psycopg2.connect(self.url)) as norn, norn.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'norn-%'")
            return {name for (name,) in cursor.fetchall()}


@pytest.fixture
def shop(postgres: Postgres, tmp_path: Path) -> Iterator[Shop]:
    """The app; nothing of it is left on the server that other tests use too."""
    try:
        yield Shop(postgres, tmp_path)
    finally:
        restoring.tidy(postgres.url("postgres"), ROLE)
        postgres.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        postgres.execute(f'DROP ROLE IF EXISTS "{ROLE}"')


def test_a_drill_finds_room_beside_an_app_that_uses_all_of_its_connections(shop: Shop) -> None:
    with ExitStack() as opened:
        for _ in range(CONNECTIONS):
            opened.enter_context(contextlib.closing(psycopg2.connect(shop.credential.reveal())))
        shop.servers.drill(shop.snapshot, shop.credential, FakeWatch().watch)
    assert shop.sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user") == [(CONNECTIONS,)]
    assert shop.databases() == set()


def test_a_restore_is_not_taken_for_that_of_another_control_plane(shop: Shop) -> None:
    shop.postgres.execute('CREATE DATABASE "norn-replaced-1"')
    try:
        with pytest.raises(StepFailed):
            shop.servers.restore(shop.snapshot, shop.credential, lambda: None, FakeWatch().watch)
        watch = FakeWatch(job=2).watch
        shop.sql("DELETE FROM orders")
        assert shop.servers.restore(shop.snapshot, shop.credential, lambda: None, watch)
        assert shop.sql("SELECT count(*) FROM orders") == [(3,)]
    finally:
        shop.postgres.execute('DROP DATABASE "norn-replaced-1"')


def test_a_drill_removes_no_database_of_another_claim(shop: Shop) -> None:
    later = Fence(1, 2)

    class TakenOver(Dumps):
        """Dumps whose restore takes so long that another worker takes the job over."""

        def restore(self, url: str, name: str, watch: Watch) -> None:
            """Lets the other worker begin."""
            restoring.begin(shop.url, ROLE, later)
            raise StepFailed("another worker has the job now")

    servers = shop.with_dumps(TakenOver(dump_directories(Path("/nowhere"), "")))
    with pytest.raises(StepFailed, match="another worker"):
        servers.drill(shop.snapshot, shop.credential, FakeWatch().watch)
    assert shop.databases() == {restoring.scratch_name(later)}


def test_a_dump_leaves_that_of_a_later_owner_alone_and_none_of_an_earlier_one(shop: Shop, tmp_path: Path) -> None:
    place = tmp_path / "snapshots"
    for token in (1, 3):
        (place / f".shop-1.dump.{token}.part").touch()
    shop.servers.dump(DATABASE, shop.snapshot.file, FakeWatch(token=2).watch)
    assert {each.name for each in place.iterdir()} == {"shop-1.dump", ".shop-1.dump.3.part"}


def test_a_view_in_place_of_a_table_is_not_run_with_the_rights_of_norn(shop: Shop) -> None:
    shop.sql("CREATE FUNCTION evil() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    with (
        pytest.raises(ServiceDown, match="view"),
        frozen(restoring.to(shop.url, DATABASE), FakeStop()) as moment,
    ):
        shop.sql("DROP TABLE orders; CREATE VIEW orders AS SELECT public.evil()")
        moment.counts()
