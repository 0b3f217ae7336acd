"""The schema that the migrations make is the one that `tables` describes."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from norn_tasks.store.columns import Base
from norn_tasks.store.session import Database


def test_migrations_make_what_tables_describes(database: Database) -> None:
    with database.transaction() as tx:
        differences = compare_metadata(MigrationContext.configure(tx), Base.metadata)
    assert [d for d in differences if d[0] not in ("remove_index",)] == []


def test_times_come_in_utc(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.scalar(text("SHOW timezone")) == "UTC"
