"""An older version with the database of a newer one refuses to start with an error, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.first import prepare_database
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database


@pytest.fixture
def newer(database: Database, tmp_path: Path) -> Settings:
    """The settings of a version whose database has a migration that this version does not know."""
    with database.transaction() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    return Settings(database_url=database.url, data_dir=tmp_path)


def test_an_older_version_refuses_the_database_of_a_newer_one(newer: Settings) -> None:
    with pytest.raises(NotStarted, match="has schema 9999, which is newer than this version's 00"):
        prepare_database(newer)


def test_the_refusal_says_how_to_go_on(newer: Settings) -> None:
    with pytest.raises(NotStarted) as refused:
        prepare_database(newer)
    assert refused.value.hint == (
        "install the newer Norn again; or, with a backup that this version made: norn restore --replace FILE"
    )


def test_a_refused_database_stays_as_it_is(newer: Settings, database: Database) -> None:
    with pytest.raises(NotStarted):
        prepare_database(newer)
    with database.transaction() as tx:
        assert tx.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
        assert tx.scalar(text("SELECT count(*) FROM tokens")) == 0


def test_the_database_of_this_version_is_taken(database: Database, tmp_path: Path) -> None:
    prepare_database(Settings(database_url=database.url, data_dir=tmp_path))
    with database.transaction() as tx:
        assert tx.scalar(text("SELECT count(*) FROM tokens")) == 1
