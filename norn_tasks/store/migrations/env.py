"""Alembic's entry: runs the migrations over the connection that `migrate.configuration` names."""

from alembic import context
from sqlalchemy import create_engine

from norn_tasks.store import tables


def run() -> None:
    """Runs the migrations in one transaction."""
    engine = create_engine(context.config.attributes["url"], connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=tables.InstanceRow.metadata)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
