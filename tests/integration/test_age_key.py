"""The key for secrets when Norn starts: it is made once and kept, and a lost key is not replaced while stored data need
it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks import sealing
from norn_tasks.dispatch import DestinationToAdd, add_destination
from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.keys import ensure_key
from norn_tasks.settings import Settings
from norn_tasks.store.apps import secrets
from norn_tasks.store.database.session import Database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def public(database: Database) -> str:
    with database.transaction() as tx:
        return secrets.recipient(tx)


def add_secret(database: Database) -> None:
    with database.transaction() as tx:
        secrets.put(tx, "blog", {"A": sealing.seal("x", secrets.recipient(tx))}, actor="joe")


def test_the_first_start_makes_a_key_for_our_eyes_only(database: Database, settings: Settings) -> None:
    ensure_key(database, settings)
    file = settings.age_key_path
    assert file.stat().st_mode & 0o777 == 0o600
    assert sealing.recipient_of(file.read_text().strip()) == public(database)
    assert list(file.parent.iterdir()) == [file]


def test_a_later_start_keeps_it(database: Database, settings: Settings) -> None:
    ensure_key(database, settings)
    before = settings.age_key_path.read_text()
    ensure_key(database, settings)
    assert settings.age_key_path.read_text() == before


def test_a_key_of_the_operators_own_is_used(database: Database, settings: Settings) -> None:
    key = sealing.fresh_key()
    settings.age_key_path.write_text(f"# created: today\n{key}\n")
    ensure_key(database, settings)
    assert public(database) == sealing.recipient_of(key)


def test_a_key_may_come_without_a_file(database: Database, settings: Settings) -> None:
    key = sealing.fresh_key()
    ensure_key(database, settings.model_copy(update={"age_key": key}))
    assert (public(database), settings.age_key_path.exists()) == (sealing.recipient_of(key), False)


def test_a_lost_key_with_nothing_sealed_is_made_anew(database: Database, settings: Settings) -> None:
    ensure_key(database, settings)
    before = public(database)
    settings.age_key_path.unlink()
    ensure_key(database, settings)
    assert public(database) != before


def test_a_lost_key_that_signs_notifications_is_not_replaced_either(database: Database, settings: Settings) -> None:
    ensure_key(database, settings)
    with database.transaction() as tx:
        add_destination(tx, DestinationToAdd("ops", "https://hooks.example/"), actor="joe")
    settings.age_key_path.unlink()
    ensure_key(database, settings)
    assert not settings.age_key_path.exists()


def test_a_lost_key_is_told_and_not_replaced(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure_key(database, settings)
    add_secret(database)
    settings.age_key_path.unlink()
    ensure_key(database, settings)
    assert not settings.age_key_path.exists()
    printed = capsys.readouterr().out
    assert f"the key {settings.age_key_path} is gone: 1 secrets cannot be opened" in printed
    assert "put it back from a backup" in printed and "norn notify remove" in printed


def test_another_key_is_told_and_nothing_is_sealed_to_it(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure_key(database, settings)
    add_secret(database)
    before = public(database)
    settings.age_key_path.write_text(sealing.fresh_key())
    ensure_key(database, settings)
    assert public(database) == before
    assert "is not the key to which 1 secrets were sealed" in capsys.readouterr().out


def test_what_is_no_key_ends_the_start(database: Database, settings: Settings) -> None:
    settings.age_key_path.write_text("hunter2\n")
    with pytest.raises(NotStarted, match="holds no private age key"):
        ensure_key(database, settings)


def test_the_settings_do_not_print_a_key() -> None:
    assert "SECRET" not in repr(Settings(age_key=sealing.fresh_key()))
