"""The routing table on disk: complete or missing, valid for one database only, and never required."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from norn_tasks.router.saved_table import FILE_NAME, SavedTable
from norn_tasks.router_socket import fingerprint
from norn_tasks.store.replicas.routes import Route, Routes, Target

URL = "postgresql://norn:secret@127.0.0.1:5432/norn"
BLOG = Route("blog", 18800, (Target("c1", "10.0.0.2:80"), Target("c2", "10.0.0.3:80")), "forged", release=3, wanted=2)
SHOP = Route("shop", 18801, ())


def test_a_saved_table_is_read_back_as_it_was(tmp_path: Path) -> None:
    SavedTable(tmp_path, URL).save(Routes((BLOG, SHOP)))
    saved = SavedTable(tmp_path, URL).load()
    assert saved
    assert saved.routes == Routes((BLOG, SHOP))
    assert saved.age < timedelta(seconds=30)


def test_a_leaving_replica_is_not_saved(tmp_path: Path) -> None:
    SavedTable(tmp_path, URL).save(Routes((BLOG,), frozenset({"c9"})))
    saved = SavedTable(tmp_path, URL).load()
    assert saved
    assert saved.routes.leaving == frozenset()


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    SavedTable(tmp_path, URL).save(Routes((BLOG,)))
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_the_table_of_another_database_is_not_used(tmp_path: Path) -> None:
    SavedTable(tmp_path, URL).save(Routes((BLOG,)))
    assert SavedTable(tmp_path, URL + "2").load() is None


def test_a_new_password_or_user_is_not_another_database() -> None:
    assert fingerprint(URL) == fingerprint("postgresql+psycopg2://other@localhost/norn")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"database": 1}'])
def test_a_file_that_cannot_be_read_is_no_table(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    assert SavedTable(tmp_path, URL).load() is None


def test_a_table_that_stays_the_same_is_written_again_after_a_minute(tmp_path: Path) -> None:
    table, now = SavedTable(tmp_path, URL), datetime.now(UTC)
    for seconds in (0, 59, 61):
        table.save(Routes((BLOG,)), now + timedelta(seconds=seconds))
        saved = table.load()
        assert saved
        assert saved.saved_at == now + timedelta(seconds=61 if seconds == 61 else 0)


def test_without_a_data_directory_nothing_is_saved(tmp_path: Path) -> None:
    table = SavedTable(tmp_path / "absent", URL)
    table.save(Routes((BLOG,)))
    assert table.load() is None


def test_a_file_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).with_suffix(".tmp").mkdir()
    table = SavedTable(tmp_path, URL)
    for _ in range(2):
        table.save(Routes((BLOG,)))
    assert table.load() is None
