"""`norn backup` and `norn restore` without an engine: the contents of a backup, refusals, and a database that the
operator runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from norn_tasks import sealing
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.domain.errors import NornError
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import Fence, JobKind
from norn_tasks.domain.services import Dump, Grant, ServiceKind, SnapshotReason
from norn_tasks.embedded import programs
from norn_tasks.embedded.backups import archive
from norn_tasks.embedded.backups.backup import backup
from norn_tasks.embedded.backups.restore import restore
from norn_tasks.embedded.errors import BadBackup, NotEmpty, NotStarted
from norn_tasks.embedded.stores import postgres as postgres_programs
from norn_tasks.settings import Settings, load
from norn_tasks.store.access import tokens
from norn_tasks.store.apps import secrets, services, snapshots
from norn_tasks.store.database.session import Database
from norn_tasks.store.database.urls import connection_parameters
from norn_tasks.store.events import stream
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.events.stream import Cursor
from norn_tasks.store.fleet import instance
from norn_tasks.store.upkeep import exclusive_tasks
from tests import factories
from tests.integration.embedded_kit import norn
from tests.servers import Postgres


@pytest.fixture
def home(tmp_path: Path, database: Database) -> Path:
    """A data directory of a control plane whose database the operator runs."""
    place = tmp_path / "home"
    place.mkdir(mode=0o700)
    tokens.ensure_bootstrap(database, place / "token")
    (place / "age.key").write_text("AGE-SECRET-KEY-1")
    return place


@pytest.fixture
def saved(home: Path, database: Database, database_url: str, tmp_path: Path) -> Path:
    """A backup of that control plane, with an app, a waiting job and one event."""
    factories.add_live(database, "blog", "webserver")
    with database.transaction() as tx:
        factories.add_job(tx, JobKind.FORGE)
        publish(tx, EventKind.APP_APPLIED, app="blog")
    file = tmp_path / "norn.backup"
    backup(_settings(home, database_url), file)
    return file


@pytest.fixture
def empty_url(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"restored{os.getpid()}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _settings(data: Path, url: str) -> Settings:
    return load({"NORN_DATA_DIR": str(data), "NORN_DATABASE_URL": url})


def restored(file: Path, data: Path, url: str, *, replace: bool = False) -> None:
    restore(_settings(data, url), file, replace=replace)


def refused(file: Path, data: Path, url: str) -> tuple[type[NornError], str]:
    with pytest.raises(NornError) as error:
        restored(file, data, url)
    return type(error.value), error.value.sentence


def test_it_holds_database_and_keys_and_is_ours_alone(saved: Path) -> None:
    with tarfile.open(saved) as tar:
        assert tar.getnames() == [
            "manifest.json", "database.dump", "open-calls.jsonl", "keys/token", "keys/age.key",
        ]  # fmt: skip
    assert saved.stat().st_mode & 0o777 == 0o600
    assert [path for path in saved.parent.iterdir() if path.name.startswith(".")] == []


def test_the_control_plane_remembers_when_it_was_saved(saved: Path, database: Database) -> None:
    with database.transaction() as tx:
        told = exclusive_tasks.seen(tx, exclusive_tasks.BACKUP)
    assert told is not None and told.did == {"file": str(saved), "bytes": saved.stat().st_size}


def test_it_brings_back_credentials_of_services_and_says_what_it_lacks(
    home: Path,
    database: Database,
    database_url: str,
    empty_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    key, file = sealing.fresh_key(), tmp_path / "norn.backup"
    with database.transaction() as tx:
        secrets.remember_recipient(tx, sealing.recipient_of(key))
        job = factories.add_job(tx, JobKind.SNAPSHOT, "shop")
        for name in ("shop_db", "bank_db"):
            grant = Grant(ServiceKind.POSTGRES, (name,))
            services.reserve(tx, name.removesuffix("_db"), (grant,))
            services.made(tx, name.removesuffix("_db"), grant)
        one = snapshots.reserve(tx, "shop", "shop_db", SnapshotReason.BACKUP, Fence(job, 1))
        snapshots.taken(tx, one.id, Dump(1, {}))
        secrets.put(
            tx, "shop", {"DATABASE_URL": sealing.seal("postgresql://x", sealing.recipient_of(key))}, actor="norn"
        )
    backup(_settings(home, database_url), file)
    restored(file, tmp_path / "new", empty_url)
    said = capsys.readouterr().out
    assert "the list of 2 databases of apps, not the data in them, and not the files of 1 snapshot." in said
    assert "the credentials of 2 databases of apps; their data was not in the backup." in said
    again = Database(empty_url, pool=2)
    with again.transaction() as tx:
        (sealed,) = secrets.sealed_of(tx, "shop")
    assert AgeVault(key, Path()).open(sealed).reveal() == "postgresql://x"
    again.dispose()


def test_a_database_of_ones_own_comes_back_whole(
    saved: Path, home: Path, database: Database, empty_url: str, tmp_path: Path
) -> None:
    restored(saved, tmp_path / "new", empty_url)
    again = Database(empty_url, pool=2)
    assert instance.name(again) == instance.name(database)
    assert (tmp_path / "new" / "token").read_text() == (home / "token").read_text()
    assert (tmp_path / "new" / "age.key").stat().st_mode & 0o777 == 0o600
    with again.transaction() as tx:
        assert [row[0] for row in tx.execute(text("SELECT kind FROM jobs ORDER BY id"))] == ["forge", "scale"]
    again.dispose()


def test_a_newer_pg_restore_fills_an_older_server(
    database: Database, database_url: str, empty_url: str, tmp_path: Path
):
    """As with docker-compose.yml: its PostgreSQL has version 16, and the PostgreSQL programs in Norn's Python package
    have version 18.
    """
    wheel = list(postgres_programs.directories())[-1:]
    with database.transaction() as tx:
        server = int(tx.scalar(text("SHOW server_version_num"))) // 10_000
    dumper, restorer = (programs.choose(name, server, wheel) for name in ("pg_dump", "pg_restore"))
    assert restorer.major >= 17 > server
    factories.add_live(database, "blog", "webserver")
    programs.run(dumper.path, database_url, ["-Fc", "--file", tmp_path / "dump"], "it was not dumped")
    programs.fill(restorer, empty_url, tmp_path / "dump")
    again = Database(empty_url, pool=1)
    with again.transaction() as tx:
        assert tx.scalar(text("SELECT name FROM apps")) == "blog"
    again.dispose()


def test_without_a_database_the_way_to_one_elsewhere_is_told(home: Path, tmp_path: Path) -> None:
    with pytest.raises(NotStarted) as error:
        backup(load({"NORN_DATA_DIR": str(home)}), tmp_path / "norn.backup")
    assert "set NORN_DATABASE_URL" in error.value.hint


def test_events_of_before_are_read_before_those_that_come(
    saved: Path, database: Database, empty_url: str, tmp_path: Path
) -> None:
    """Another PostgreSQL server counts transaction ids from the beginning. With an order by these ids alone, the old
    events would come after the new ones.
    """
    restored(saved, tmp_path / "new", empty_url)
    again = Database(empty_url, pool=2)
    with again.transaction() as tx:
        publish(tx, EventKind.APP_REMOVED, app="blog")
    with database.transaction() as tx:
        before = [told.kind for told in stream.after(tx, Cursor())]
    with again.transaction() as tx:
        after = [told.kind for told in stream.after(tx, Cursor())]
    again.dispose()
    assert after == [*before, "job.accepted", "app.removed"]


def test_numbers_that_stand_outside_are_not_given_again(
    saved: Path, database: Database, empty_url: str, tmp_path: Path
) -> None:
    restored(saved, tmp_path / "new", empty_url)
    again = Database(empty_url, pool=2)
    for base, leaps in ((database, False), (again, True)):
        with base.transaction() as tx:
            numbers = [int(tx.scalar(text(f"SELECT nextval('{s}')")) or 0) for s in ("fence", "executions")]
        assert all((number > 1_000_000) == leaps for number in numbers)
    again.dispose()


def test_a_database_that_is_not_empty_is_refused(saved: Path, database_url: str, tmp_path: Path) -> None:
    kind, said = refused(saved, tmp_path / "new", database_url)
    assert (kind, "is not empty" in said) == (NotEmpty, True)


def test_it_is_replaced_when_told(saved: Path, database_url: str, tmp_path: Path) -> None:
    restored(saved, tmp_path / "new", database_url, replace=True)


def test_a_data_directory_with_keys_is_refused(saved: Path, home: Path, empty_url: str) -> None:
    kind, said = refused(saved, home, empty_url)
    assert (kind, "is not empty: it has token, age.key" in said) == (NotEmpty, True)


def test_keys_are_put_aside_when_told(saved: Path, home: Path, empty_url: str) -> None:
    restored(saved, home, empty_url, replace=True)
    assert len(list(home.glob("token.before-restore-*"))) == 1


def test_a_replace_that_fails_leaves_the_database_that_was(saved: Path, tmp_path: Path) -> None:
    old = tmp_path / "old" / "postgres"
    old.mkdir(parents=True)
    old.parent.chmod(0o700)
    (old / "mine").write_text("rows")
    with tarfile.open(saved) as tar:
        tar.extractall(tmp_path / "y", filter="data")
    (tmp_path / "y" / "database.dump").write_text("no dump")
    files = {"database.dump": hashlib.sha256(b"no dump").hexdigest()}
    broken = _packed(tmp_path / "y", tmp_path / "broken", files=files)
    with pytest.raises(NornError):
        restore(load({"NORN_DATA_DIR": str(old.parent)}), broken, replace=True)
    assert (old / "mine").read_text() == "rows"


def _changed(file: Path, tmp_path: Path, **changes: object) -> Path:
    """Returns a copy of a backup with a changed manifest."""
    with tarfile.open(file) as tar:
        tar.extractall(tmp_path / "x", filter="data")
    return _packed(tmp_path / "x", tmp_path / "changed", **changes)


def _packed(content: Path, file: Path, **changes: object) -> Path:
    manifest = content / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))
    with tarfile.open(file, "w") as tar:
        for path in sorted(content.rglob("*")):
            tar.add(path, path.relative_to(content), recursive=False)
    return file


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": "9999"}, "whose database is newer than this version's"),
        ({"format": 2}, "has format 2, and this Norn reads 1"),
        ({"files": {"database.dump": "0" * 64}}, "is damaged: database.dump has the wrong checksum"),
        ({"files": {"database.dump": "0" * 64, "gone": ""}}, "is damaged"),
        ({"files": ["database.dump"]}, "is not a backup of Norn"),
        ({"files": {"keys": ""}}, "is damaged: keys is not a file"),
    ],
)
def test_a_backup_that_is_not_whole_or_not_ours_is_refused(
    saved: Path, empty_url: str, tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    kind, said = refused(_changed(saved, tmp_path, **changes), tmp_path / "new", empty_url)
    assert (kind, sentence in said) == (BadBackup, True), said


def test_what_is_no_backup_is_refused(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear all")
    kind, said = refused(tmp_path / "letter", tmp_path / "new", empty_url)
    assert (kind, "cannot be read as a backup" in said) == (BadBackup, True)


def test_where_no_norn_is_nothing_is_saved(tmp_path: Path) -> None:
    done = norn("backup", str(tmp_path / "file"), NORN_DATA_DIR=str(tmp_path / "none"))
    assert (done.returncode, "there is no database of norn up in" in done.stderr) == (1, True)


def test_a_backup_that_cannot_be_written_leaves_the_one_before(saved: Path, home: Path, tmp_path: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(NornError):
        backup(_settings(home, "postgresql://u@127.0.0.1:1/x"), saved)
    assert saved.read_bytes() == before


def test_the_password_of_the_database_is_on_no_command_line() -> None:
    words, environment = connection_parameters("postgresql+psycopg2://ada:s3cret@db:5433/norn")
    assert ("s3cret" in words, environment) == (False, {"PGPASSWORD": "s3cret"})


def test_no_name_of_the_archive_becomes_a_path(tmp_path: Path) -> None:
    (tmp_path / "any").write_text("x")
    content = dict.fromkeys(("../../victim", archive.DUMP), tmp_path / "any")
    manifest = archive.Manifest(1, "0", "", "i", "s", 15, archive.checksums(content))
    scratch = tmp_path / "deep" / "scratch"
    scratch.mkdir(parents=True)
    archive.write(tmp_path / "evil", scratch, manifest, content)
    assert list(tmp_path.rglob("victim")) == []


# Calls


@pytest.mark.parametrize(("bodies", "kept"), [(False, {1: b"open"}), (True, {1: b"open", 2: b"ended"})])
def test_bodies_of_ended_calls_are_kept_only_when_asked_for(
    home: Path,
    database: Database,
    database_url: str,
    tmp_path: Path,
    empty_url: str,
    bodies: bool,
    kept: dict[int, bytes],
) -> None:
    with database.transaction() as tx:
        for id, state, ended in ((1, "pending", "NULL"), (2, "succeeded", "clock_timestamp() - interval '1 hour'")):
            tx.execute(
                text(f"""INSERT INTO func_executions(id, app, job_id, state, actor, sync, method, path, finished_at)
                VALUES ({id}, 'fn', 1, '{state}', 'a', false, 'POST', '/', {ended})""")
            )
        tx.execute(text("INSERT INTO execution_io(execution, request) VALUES (1, 'open'), (2, 'ended')"))
    backup(_settings(home, database_url), tmp_path / "b", bodies=bodies)
    restored(tmp_path / "b", tmp_path / "new", empty_url)
    there = Database(empty_url, pool=1)
    with there.transaction() as tx:
        found = {
            row.execution: bytes(row.request) for row in tx.execute(text("SELECT execution, request FROM execution_io"))
        }
        trimmed = list(tx.scalars(text("SELECT id FROM func_executions WHERE trimmed_at IS NOT NULL")))
    there.dispose()
    assert (found, trimmed) == (kept, [] if bodies else [2])


def test_a_restored_control_plane_knows_that_it_has_a_backup(saved: Path, tmp_path: Path, empty_url: str) -> None:
    restored(saved, tmp_path / "new", empty_url)
    there = Database(empty_url, pool=1)
    with there.transaction() as tx:
        last = exclusive_tasks.seen(tx, exclusive_tasks.BACKUP)
    there.dispose()
    assert last is not None and last.age is not None and last.did["file"] == str(saved)
