"""Makes the commits of a server slow, like those of a loaded machine: a trigger sleeps at the end of the
transaction.
"""

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
    """Lets each commit that adds a row to a table take `seconds`, until the block has ended."""
    with database.transaction() as tx:
        tx.execute(text(_MADE.format(table=table, seconds=seconds)))
    try:
        yield
    finally:
        with database.transaction() as tx:
            tx.execute(text(_GONE.format(table=table)))
