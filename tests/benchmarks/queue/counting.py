"""Counts the work of a PostgreSQL: the statements that it logs, its WAL, and its CPU time.

The server's log also shows what a library adds, such as the BEGIN of a driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from tests.benchmarks.processes import descendants
from tests.servers import Postgres

LOGGED = {"log_line_prefix": "%p ", "log_statement": "all"}
"""The options of a server whose statements are counted."""
_STATEMENT = re.compile(r"^(\d+) LOG:  statement: (.*)", re.MULTILINE)


@dataclass(frozen=True)
class Asked:
    """How many statements, messages and commits a server has logged."""

    statements: int = 0
    """Statements without those that begin and end transactions."""
    round_trips: int = 0
    """Messages that the client waited for: each statement, BEGIN, COMMIT and ping."""
    commits: int = 0
    """Transactions that committed, also those of a single statement."""

    def __add__(self, other: Asked) -> Asked:
        return Asked(
            self.statements + other.statements, self.round_trips + other.round_trips, self.commits + other.commits
        )


class ServerLog:
    """The log of a server; each reading continues where the last one ended."""

    def __init__(self, postgres: Postgres) -> None:
        self._path = postgres.home / "log"
        self._at = self._path.stat().st_size

    def asked(self) -> Asked:
        """Counts what the server has logged since the last call."""
        with self._path.open("rb") as log:
            log.seek(self._at)
            read = log.read()
        self._at += len(read)
        return counted(_STATEMENT.findall(read.decode("utf-8", "replace")))


def counted(logged: Iterable[tuple[str, str]]) -> Asked:
    """Counts the logged statements, each with the session that sent it.

    A message may begin with BEGIN or COMMIT and then have another statement.
    """
    found, inside = Asked(), set()
    for session, line in logged:
        found += Asked(round_trips=1)
        first, mark, rest = line.strip().partition("; ")
        for statement in (first, rest) if mark and first in ("BEGIN", "COMMIT") else (line.strip(),):
            word = (statement or "of several lines").split(None, 1)[0].rstrip(";").upper()
            if word == "BEGIN":
                inside.add(session)
            ends = word in ("COMMIT", "ROLLBACK")
            commits = word == "COMMIT" or not (ends or word in ("", "BEGIN") or session in inside)
            if ends:
                inside.discard(session)
            found += Asked(statements=int(word not in ("", "BEGIN") and not ends), commits=int(commits))
    return found


def wal_position(postgres: Postgres) -> int:
    """Returns the number of bytes of WAL that the server has written since it was made."""
    return int(_scalar(postgres, "SELECT pg_current_wal_insert_lsn() - '0/0'"))


def wal_flushes(postgres: Postgres) -> int:
    """Returns how often the server has flushed WAL to the disk; a session reports its flushes when it ends."""
    return int(_scalar(postgres, "SELECT wal_sync FROM pg_stat_wal"))


def dead_rows(postgres: Postgres, database: str) -> int:
    """Returns the number of dead rows in the tables of a database."""
    return int(rows(postgres, database, "SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables")[0][0])


def _scalar(postgres: Postgres, query: str) -> str:
    return str(rows(postgres, "postgres", query)[0][0])


def rows(postgres: Postgres, database: str, query: str) -> list[tuple[Any, ...]]:
    """Returns the rows of a query."""
    connection = psycopg2.connect(postgres.url(database))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
    finally:
        connection.close()


def server_cpu(postgres: Postgres) -> dict[int, int]:
    """Returns the nanoseconds of CPU time of each process of the server; each has one thread."""
    pid = postgres.process.pid
    return {each: _nanoseconds(each) for each in (pid, *descendants(pid))}


def _nanoseconds(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def since(before: dict[int, int], after: dict[int, int]) -> int:
    """Returns the nanoseconds of CPU time between two measurements of a server's processes."""
    return sum(spent - before.get(pid, 0) for pid, spent in after.items())
