"""A server whose commits are slow, as those of a loaded machine are: a trigger sleeps when the transaction ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from norn_tasks.store.database.session import Database

_MADE = """CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION slowly()"""
_GONE = "DROP TRIGGER slowly ON {table}; DROP FUNCTION slowly()"


@contextmanager
def commits_take(database: Database, table: str, *, seconds: float) -> Iterator[None]:
    """Lets each commit of a new row of a table take so long, until the block has ended."""
    with database.transaction() as tx:
        tx.execute(text(_MADE.format(table=table, seconds=seconds)))
    try:
        yield
    finally:
        with database.transaction() as tx:
            tx.execute(text(_GONE.format(table=table)))
