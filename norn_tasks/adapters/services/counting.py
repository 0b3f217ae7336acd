"""Counts the rows of a database at the moment of its dump. After a restore, the counts are compared with the restored
rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import sql

from norn_tasks.adapters import timeouts
from norn_tasks.adapters.services.postgres import cursor
from norn_tasks.domain.services import RowCounts
from norn_tasks.ports import Stop

_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'
                      AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
 ORDER BY 1, 2"""
"""Selects the tables of an app, except those of extensions, because a dump does not contain them."""


_TABLES_ONLY = """
SELECT pg_catalog.set_config(name, 'view, foreign-table', false) FROM pg_catalog.pg_settings
 WHERE name = 'restrict_nonsystem_relation_kind'"""
"""A setting that refuses views and foreign tables: an app could replace a table with a view, and counting it would run
the view's functions with Norn's rights.

Servers released since August 2024 have this setting; pg_dump uses it too.
"""


@dataclass(frozen=True)
class FrozenMoment:
    """The state of a database at one moment, without later writes."""

    name: str
    """The name by which pg_dump finds the state."""
    _done: Any
    _stop: Stop

    def counts(self) -> RowCounts:
        """Counts the rows of each table; raises Stopped when the stop is set."""
        counting = timeouts.begin(lambda: _counts(self._done))
        try:
            return timeouts.wait(counting, self._stop)
        except BaseException:
            self._done.connection.cancel()
            raise


@contextmanager
def frozen(url: str, stop: Stop) -> Iterator[FrozenMoment]:
    """Yields the present state of a database. It can be read inside the block."""
    with cursor(url) as done:
        # With these settings, the app cannot replace PostgreSQL's functions, and its row security policies cannot hide
        # rows.
        done.execute("SET search_path = ''; SET row_security = off; SET statement_timeout = 0")
        done.execute(_TABLES_ONLY)
        done.execute("SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '60s'")
        done.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        done.execute("SELECT pg_catalog.pg_export_snapshot()")
        yield FrozenMoment(str(done.fetchone()[0]), done, stop)


def rows_of(url: str, stop: Stop) -> RowCounts:
    """Counts the rows of each table of a database now."""
    with frozen(url, stop) as moment:
        return moment.counts()


def _counts(done: Any) -> RowCounts:
    done.execute(_TABLES)
    return {f"{schema}.{table}": _count(done, schema, table) for schema, table in done.fetchall()}


def _count(done: Any, schema: str, table: str) -> int:
    try:
        done.execute(sql.SQL("SELECT pg_catalog.count(*) FROM ONLY {}").format(sql.Identifier(schema, table)))
    except psycopg2.errors.QueryCanceled:
        return 0  # the stop was set, and nobody reads this result
    return int(done.fetchone()[0])
