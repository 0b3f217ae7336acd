"""Restores and drills (trial restores) on a real PostgreSQL: which data is replaced, when, and with which rights."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from norn_tasks.adapters.services import Dumps, GivenServer, SharedServers, restoring
from norn_tasks.adapters.services.dumps import BackupUnusable
from norn_tasks.domain.errors import StepFailed
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.services import Grant, ServiceKind, Snapshot, SnapshotReason, dump_directories
from norn_tasks.ports import Watch
from tests.fakes.stop import FakeStop, FakeWatch
from tests.servers import Postgres

INSTANCE = f"r{os.getpid()}"
_numbers = itertools.count(1)
ROWS = "SELECT count(*) FROM orders"


def nothing() -> None:
    """Does nothing, as if this worker still owned the job."""


@dataclass
class Shop:
    """An app with a database of orders."""

    servers: SharedServers
    admin: str
    url: Secret
    dumps: Path
    app: str
    database: str

    def sql(self, statement: str, database: str = "") -> Any:
        """Runs a statement with the app's role."""
        with closing(psycopg2.connect(restoring.to(self.url.reveal(), database or self.database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else None

    def rows(self) -> int:
        """Returns the number of orders."""
        return int(self.sql(ROWS)[0][0])

    def snapshot(self, number: int = 1, reason: SnapshotReason = SnapshotReason.MANUAL) -> Snapshot:
        """Takes a snapshot."""
        at = datetime(2026, 1, 1, tzinfo=UTC)
        empty = Snapshot(number, self.app, self.database, reason, None, at, None)
        dump = self.servers.dump(self.database, empty.file, FakeWatch().watch)
        return replace(empty, bytes=dump.bytes, counts=dump.counts)

    def restore(self, snapshot: Snapshot, *, token: int = 1, confirm: Callable[[], None] = nothing) -> bool:
        """Restores a snapshot as job 7; returns False if that job has already restored it."""
        return self.servers.restore(snapshot, self.url, confirm, claim(token))

    def left(self) -> list[str]:
        """Lists the databases that unfinished restores have left behind."""
        with closing(psycopg2.connect(self.admin)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'norn-%' ORDER BY 1")
            return [name for (name,) in cursor.fetchall()]


def claim(token: int) -> Watch:
    """Returns the watch of a claim of job 7."""
    return FakeWatch(job=7, token=token).watch


@pytest.fixture
def shop(postgres: Postgres, tmp_path: Path) -> Iterator[Shop]:
    """The app with three orders, on the tests' PostgreSQL."""
    admin = postgres.url("postgres")
    server = {ServiceKind.POSTGRES: GivenServer(admin)}
    servers = SharedServers(server, INSTANCE, Dumps(dump_directories(tmp_path, "")))
    name = f"restored{next(_numbers)}"
    grant = Grant(ServiceKind.POSTGRES, (name,))
    url = servers.credential(name, grant, None, FakeStop(), apart=False)
    servers.make(name, grant, url, FakeStop())
    app = Shop(servers, admin, url, tmp_path / "snapshots", name, name)
    app.sql("CREATE TABLE orders (n int)")
    app.sql("INSERT INTO orders SELECT generate_series(1, 3)")
    yield app
    servers.tidy(name, FakeStop())
    servers.remove(name, grant, FakeStop(), last=True)


def test_a_restore_puts_the_rows_in_place_once_and_ends_older_connections(shop: Shop) -> None:
    snapshot = shop.snapshot()
    shop.sql("INSERT INTO orders VALUES (4)")
    with closing(psycopg2.connect(shop.url.reveal())) as open_connection:
        assert shop.restore(snapshot)
        with pytest.raises(psycopg2.Error), open_connection.cursor() as cursor:
            cursor.execute(ROWS)
    assert (snapshot.counts, shop.rows()) == ({"public.orders": 3}, 3)
    shop.sql("INSERT INTO orders VALUES (5)")
    assert not shop.restore(snapshot, token=2)
    assert (shop.rows(), shop.left()) == (4, ["norn-replaced-7"])
    shop.servers.tidy(shop.app, FakeStop())
    assert shop.left() == []


class Killed(BaseException):
    """Simulates the death of the worker."""


def test_a_worker_that_dies_before_the_replacement_leaves_the_database_to_the_next_one(shop: Shop) -> None:
    def die() -> None:
        raise Killed

    snapshot = shop.snapshot()
    shop.sql("INSERT INTO orders VALUES (4)")
    with pytest.raises(Killed):
        shop.restore(snapshot, confirm=die)
    assert (shop.rows(), shop.left()) == (4, ["norn-scratch-7-1"])
    assert shop.restore(snapshot, token=2)
    assert (shop.rows(), shop.left()) == (3, ["norn-replaced-7"])


def test_a_worker_that_wakes_up_late_replaces_nothing(shop: Shop) -> None:
    def overtaken() -> None:
        assert restoring.begin(shop.admin, f"norn-{INSTANCE}-{shop.app}", Fence(7, 2))

    snapshot = shop.snapshot()
    shop.sql("INSERT INTO orders VALUES (4)")
    with pytest.raises(StepFailed, match="another worker has taken over the restore"):
        shop.restore(snapshot, confirm=overtaken)
    assert (shop.rows(), shop.left()) == (4, ["norn-scratch-7-2"])


def test_a_file_that_is_broken_changes_nothing(shop: Shop) -> None:
    snapshot = shop.snapshot()
    file = shop.dumps / snapshot.file
    file.write_bytes(file.read_bytes()[:-200])
    shop.sql("INSERT INTO orders VALUES (4)")
    with pytest.raises(BackupUnusable, match=r"the restore of restored\d+-1\.dump failed"):
        shop.restore(snapshot)
    file.unlink()
    with pytest.raises(BackupUnusable, match=r"is not on the machine of this worker"):
        shop.restore(snapshot, token=2)
    assert shop.rows() == 4


def test_a_restore_runs_functions_of_the_app_with_the_rights_of_the_app_alone(shop: Shop) -> None:
    shop.sql("CREATE TABLE seen (who name DEFAULT session_user)")
    body = "INSERT INTO public.seen DEFAULT VALUES; SELECT true"
    shop.sql(f"CREATE FUNCTION spies(int) RETURNS bool LANGUAGE sql AS '{body}'")
    shop.sql("ALTER TABLE orders ADD CHECK (spies(n))")
    shop.sql("TRUNCATE seen")
    snapshot = replace(shop.snapshot(), counts=None)
    assert shop.restore(snapshot)
    who = {name for (name,) in shop.sql("SELECT who FROM seen")}
    assert who <= {f"norn-{INSTANCE}-{shop.app}"}
    assert who or shop.rows() == 3


def test_a_drill_leaves_no_database_and_the_app_as_it_was(shop: Shop) -> None:
    backup = shop.snapshot(2, SnapshotReason.BACKUP)
    shop.sql("INSERT INTO orders VALUES (4)")
    shop.servers.drill(backup, shop.url, claim(1))
    assert (shop.rows(), shop.left()) == (4, [])
    with pytest.raises(BackupUnusable, match="instead of 9 rows"):
        shop.servers.drill(replace(backup, counts={"public.orders": 9}), shop.url, claim(2))
    assert shop.left() == []


def test_rows_are_counted_at_the_moment_of_the_dump(shop: Shop) -> None:
    shop.sql("CREATE TABLE parents (n int)")
    shop.sql("CREATE TABLE children () INHERITS (parents)")
    shop.sql("INSERT INTO children VALUES (1)")
    assert shop.snapshot().counts == {"public.orders": 3, "public.parents": 0, "public.children": 1}


def test_size_and_connections_are_seen(shop: Shop) -> None:
    with closing(psycopg2.connect(shop.url.reveal())):
        (seen,) = shop.servers.databases((shop.database, "nosuch"), FakeStop())
    assert (seen.name, seen.connections, seen.bytes > 1_000_000) == (shop.database, 1, True)


def test_a_snapshot_without_room_leaves_no_file(shop: Shop) -> None:
    shop.dumps.symlink_to("/dev/full")
    with pytest.raises(StepFailed, match="cannot be written"):
        shop.snapshot()
    shop.dumps.unlink()
