"""Loads the dump of an older version's database, migrates it, and makes copies whose times are moved, as if the old
version had just been stopped.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import psycopg2

from norn_tasks.store.database import migrate
from tests.servers import Postgres

HERE = Path(__file__).parent
APPS_DIR = HERE / "apps"
"""The directories of the old version's apps."""
KEY = HERE / "age.key"
"""The key that decrypts the secrets in the dump."""
_RECORDED_APPS_DIR = "/srv/norn/apps"

# A server assigns transaction ids in ascending order, and events are read in the order of these ids.
_ADVANCE = """DO $$ DECLARE newest bigint := (SELECT max(CAST(CAST(xact AS text) AS bigint)) FROM events);
BEGIN WHILE CAST(CAST(pg_current_xact_id() AS text) AS bigint) <= newest LOOP COMMIT; END LOOP; END $$"""

_TIMES = """SELECT c.table_name, string_agg(format('%%1$I = %%1$I + %%2$L', c.column_name, CAST(%s AS interval)), ', ')
  FROM information_schema.columns c JOIN pg_tables t ON t.schemaname = 'public' AND t.tablename = c.table_name
 WHERE c.table_schema = 'public' AND c.data_type = 'timestamp with time zone' AND c.is_generated = 'NEVER'
 GROUP BY c.table_name"""


def load(postgres: Postgres, name: str) -> str:
    """Makes a database out of the dump and returns its URL; it has the old version's schema."""
    postgres.execute(f"CREATE DATABASE {name}")
    url = postgres.url(name)
    written = gzip.decompress((HERE / "database.sql.gz").read_bytes()).decode()
    _execute(url, written.replace(_RECORDED_APPS_DIR, str(APPS_DIR)))
    _execute(url, _ADVANCE)
    return url


def upgraded(postgres: Postgres, name: str) -> str:
    """Makes a database out of the dump, migrates it to this version's schema, and returns its URL."""
    url = load(postgres, name)
    migrate.upgrade(url)
    return url


def copied(postgres: Postgres, original: str, name: str) -> str:
    """Copies a database and returns the URL of the copy, in which all times are moved so that the newest event happened
    now.
    """
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {original}")
    url = postgres.url(name)
    _bring_to_now(url)
    return url


def _bring_to_now(url: str) -> None:
    """Moves every time so that the newest event happened now; leases, deadlines and schedules keep their distance from
    it.
    """
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT CAST(clock_timestamp() - max(at) AS text) FROM events")
        passed = cursor.fetchone()
        assert passed is not None
        cursor.execute(_TIMES, passed)
        for table, moved in cursor.fetchall():
            cursor.execute(f"UPDATE {table} SET {moved}")
    connection.close()


def _execute(url: str, statements: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statements)
    connection.close()
