"""The database of an app on the servers of a stack: its rows, its snapshots, and the databases that restores have left
behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg2

from norn_tasks.adapters.services.restoring import to
from tests.e2e.stack import Stack
from tests.servers import allowed

ENDS = ("succeeded", "failed", "error", "dead", "cancelled")


class AppDatabase:
    """The database `name` of the app `app`, with a table of orders."""

    def __init__(self, stack: Stack, app: str, name: str) -> None:
        self.stack, self.app, self.name = stack, app, name
        self._admin = stack.admin_of("postgres")

    def sql(self, statement: str) -> list[Any]:
        """Runs a statement as the role that owns the database."""
        with closing(psycopg2.connect(to(self._admin, self.name))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
                cursor.execute(f'SET ROLE "{cursor.fetchone()[0]}"')  # type: ignore[index]
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def fill(self, rows: int) -> None:
        """Drops the table, and creates it again with these rows."""
        self.sql("DROP TABLE IF EXISTS orders")
        self.sql(f"CREATE TABLE orders AS SELECT n FROM generate_series(1, {rows}) n")

    def rows(self) -> int:
        """Returns how many orders there are."""
        return int(self.sql("SELECT count(*) FROM orders")[0][0])

    def left(self) -> list[str]:
        """Lists the databases that restores and drills have made and not removed."""
        with closing(psycopg2.connect(self._admin)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'norn-%' ORDER BY 1")
            return [name for (name,) in cursor.fetchall()]

    def ask(self, verb: str, *words: str) -> int:
        """Requests a job of `norn db`; returns its number."""
        return int(self.stack.json("db", verb, self.app, *words, "--detach")["job"])

    def ask_restore(self, snapshot: int) -> int:
        """Requests a restore; returns the number of the job."""
        return self.ask("restore", str(snapshot), "--confirm", self.app)

    def ended(self, job: int, ends: Sequence[str] = ENDS) -> dict[str, Any]:
        """Waits for the end of a job; returns its row."""
        return self.stack.await_state(job, ends, allowed(90))

    def snapshot(self, verb: str = "snapshot") -> int:
        """Takes a snapshot or a backup; returns its number."""
        job = self.ask(verb)
        row = self.ended(job)
        assert row["state"] == "succeeded", row["error"]
        return int(self.stack.rows("SELECT id FROM snapshots WHERE job_id = %s", job)[0]["id"])

    def newest(self, reason: str) -> dict[str, Any]:
        """Returns the newest complete snapshot for a reason."""
        complete = "SELECT * FROM snapshots WHERE app = %s AND reason = %s AND bytes IS NOT NULL"
        wanted = f"{complete} ORDER BY id DESC LIMIT 1"
        return self.stack.rows(wanted, self.app, reason)[0]
