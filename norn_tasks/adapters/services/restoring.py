"""Restores databases of apps: fills a new database from a dump, and then replaces the old database with it in one
transaction.

Until then the old database serves the app. It is kept under another name until the job has recorded the replacement. So
if a worker dies, either the old database or the complete new one serves, and the next worker can see which.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from psycopg2 import errors, sql
from psycopg2.extensions import make_dsn, parse_dsn

from norn_tasks.adapters import timeouts
from norn_tasks.adapters.services.postgres import CONNECTIONS, cursor
from norn_tasks.domain.errors import ServiceDown, StepFailed
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Secret

_PREFIX = "norn-"
"""The beginning of the names of databases that are being filled or were replaced. No infraspec may use such a name."""
_RENAME_SECONDS = 60.0
_SPARE = 5
"""The connections that the role gets in addition to the app's own, because the app may use all of its own."""


def scratch_name(fence: Fence) -> str:
    """Returns the name of the scratch database, which one claim of a job fills."""
    return f"{_PREFIX}scratch-{fence.job}-{fence.token}"


def replaced_name(job: int) -> str:
    """Returns the name that the old database gets when the job replaces it."""
    return f"{_PREFIX}replaced-{job}"


def to(url: str, database: str) -> str:
    """Returns the connection string for another database on the same server."""
    return str(make_dsn(**{**parse_dsn(url), "dbname": database}))


def as_role(url: str, role: str, password: Secret, database: str) -> str:
    """Returns the connection string with which this worker connects with the app's role."""
    return str(make_dsn(**{**parse_dsn(url), "user": role, "password": password.reveal(), "dbname": database}))


def begin(url: str, role: str, fence: Fence) -> bool:
    """Creates an empty database that belongs to the role; returns False if this job has already replaced the old
    database.

    The scratch databases of earlier claims are dropped first, so that no earlier worker can still use one.
    """
    name, replaced = scratch_name(fence), replaced_name(fence.job)
    tidy(url, role, keep=(replaced,))
    with cursor(url) as done:
        if _is_of(done, replaced, role):
            return False
        made = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'")
        done.execute(made.format(sql.Identifier(name), sql.Identifier(role)))
        done.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    return True


def tidy(url: str, role: str, keep: tuple[str, ...] = ()) -> None:
    """Drops the databases left behind by restores and drills of the role, except those in `keep`."""
    with cursor(url) as done:
        done.execute("SET statement_timeout = 0")
        done.execute(
            "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = %s"
            " AND datname ~ '^norn-(scratch-[0-9]+-[0-9]+|replaced-[0-9]+)$'",
            (role,),
        )
        for (name,) in done.fetchall():
            if name not in keep:
                done.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def discard(url: str, role: str, fence: Fence) -> None:
    """Drops the database that this claim of a job fills, but none of another claim or job."""
    name = scratch_name(fence)
    with cursor(url) as done:
        done.execute("SET statement_timeout = 0")
        if _is_of(done, name, role):
            done.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def spare_connections(url: str, role: str) -> Iterator[None]:
    """Allows the role more connections inside the block, because the app may use all of its usual ones.

    If the worker dies, the higher limit stays until the next restore, drill or forge.
    """
    _limit(url, role, CONNECTIONS + _SPARE)
    try:
        yield
    finally:
        with suppress(ServiceDown, StepFailed):  # if the server is unreachable, the work in the block reports it
            _limit(url, role, CONNECTIONS)


def _limit(url: str, role: str, connections: int) -> None:
    change = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
    with cursor(url) as done:
        done.execute(change.format(sql.Identifier(role), sql.Literal(connections)))


def put_in_place(url: str, database: str, fence: Fence, confirm: Callable[[], None]) -> None:
    """Replaces the old database with the filled one in one transaction, and closes all connections to the old one.

    `confirm` raises an error if the job has another owner. Clients that connect during the transaction wait for its
    end.
    """
    confirm()
    renaming = timeouts.begin(lambda: _rename(url, database, fence))
    until = time.monotonic() + _RENAME_SECONDS
    # If this connection breaks, the server still finishes the renaming, and another try must not begin at the same
    # time.
    with suppress(ServiceDown, StepFailed), cursor(url) as done:
        while not renaming.done() and time.monotonic() < until:
            done.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND backend_type <> 'autovacuum worker'",
                (database,),
            )
            time.sleep(0.1)
    renaming.result(_RENAME_SECONDS)


def _rename(url: str, database: str, fence: Fence) -> None:
    """Renames both databases. From the first statement on, new connections to the old one have to wait."""
    renamed = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    old, new = sql.Identifier(replaced_name(fence.job)), sql.Identifier(scratch_name(fence))
    with cursor(url) as done:
        try:
            done.execute("BEGIN")
            done.execute(renamed.format(sql.Identifier(database), old))
            done.execute(renamed.format(new, sql.Identifier(database)))
            done.execute("COMMIT")
        except errors.ObjectInUse as error:
            raise ServiceDown(
                f"the connections to {database} do not end, so another database cannot take its place",
                hint="see who is connected: norn db list",
            ) from error
        except (errors.InvalidCatalogName, errors.DuplicateDatabase) as error:
            raise StepFailed(f"another worker has taken over the restore of {database}", hint="norn jobs") from error


def _is_of(done: Any, name: str, role: str) -> bool:
    """Returns True if the database of this name belongs to the role; another control plane may use the same name for
    its own job.
    """
    done.execute("SELECT 1 FROM pg_database WHERE datname = %s AND pg_get_userbyid(datdba) = %s", (name, role))
    return done.fetchone() is not None
