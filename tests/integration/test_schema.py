"""The schema that the migrations make is the one that `tables` describes."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from norn_tasks.store.database.columns import Base, ViewBase
from norn_tasks.store.database.session import Database


def test_migrations_make_what_tables_describes(database: Database) -> None:
    with database.transaction() as tx:
        differences = compare_metadata(MigrationContext.configure(tx), Base.metadata)
    assert [d for d in differences if d[0] not in ("remove_index",)] == []


def test_migrations_make_the_views_that_tables_describes(database: Database) -> None:
    with database.transaction() as tx:
        seen = inspect(tx)
        made = {view: [column["name"] for column in seen.get_columns(view)] for view in ViewBase.metadata.tables}
    assert made == {name: list(view.columns.keys()) for name, view in ViewBase.metadata.tables.items()}


def test_times_come_in_utc(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.scalar(text("SHOW timezone")) == "UTC"
