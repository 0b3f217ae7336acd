"""Restores databases of apps: fills a new database from a dump, then replaces the old one with it in one transaction.

The old database serves until then, and is kept under another name until the job has noted the replacement. So a worker
that dies leaves either the old database or the complete new one, and the next worker can see which.
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
"""The beginning of the names of scratch and replaced databases, which no infraspec may name."""
_RENAME_SECONDS = 60.0
_SPARE = 5
"""The connections that the role gets in addition to those for its app, because the app may use all of those."""


def scratch_name(fence: Fence) -> str:
    """Returns the name of the scratch database of one claim of a job."""
    return f"{_PREFIX}scratch-{fence.job}-{fence.token}"


def replaced_name(job: int) -> str:
    """Returns the name that the old database gets when the job puts another one in its place."""
    return f"{_PREFIX}replaced-{job}"


def to(url: str, database: str) -> str:
    """Returns the connection string for another database of the same server."""
    return str(make_dsn(**{**parse_dsn(url), "dbname": database}))


def as_role(url: str, role: str, password: Secret, database: str) -> str:
    """Returns the connection string with which this worker connects as the role of an app."""
    return str(make_dsn(**{**parse_dsn(url), "user": role, "password": password.reveal(), "dbname": database}))


def begin(url: str, role: str, fence: Fence) -> bool:
    """Makes an empty database that the role owns; returns False if this job has replaced the old database already.

    The scratch databases of earlier claims are removed first, so that no earlier worker can still put one in place.
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
    """Removes the databases that restores and drills of the role have left, except those to keep."""
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
    """Removes the database that this claim of a job fills, and none that another claim or job has made."""
    name = scratch_name(fence)
    with cursor(url) as done:
        done.execute("SET statement_timeout = 0")
        if _is_of(done, name, role):
            done.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def spare_connections(url: str, role: str) -> Iterator[None]:
    """Lets the role have more connections inside the block, because the app may use all those that it usually has.

    If the worker dies, the role keeps them until the next restore, drill or forge.
    """
    _limit(url, role, CONNECTIONS + _SPARE)
    try:
        yield
    finally:
        with suppress(ServiceDown, StepFailed):  # a server that went away is reported by the work in the block
            _limit(url, role, CONNECTIONS)


def _limit(url: str, role: str, connections: int) -> None:
    change = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
    with cursor(url) as done:
        done.execute(change.format(sql.Identifier(role), sql.Literal(connections)))


def put_in_place(url: str, database: str, fence: Fence, confirm: Callable[[], None]) -> None:
    """Replaces the old database with the filled one, in one transaction, and ends all connections to the old one.

    `confirm` raises if the job has another owner. Clients that connect during the transaction wait for its end.
    """
    confirm()
    renaming = timeouts.begin(lambda: _rename(url, database, fence))
    until = time.monotonic() + _RENAME_SECONDS
    # If this connection breaks, the renaming still goes on, and another try must not begin at the same time.
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
    """Renames both databases. From the first statement on, new connections to the old one wait."""
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
    """Returns True if the role has a database of this name; another control plane may have one for its own job."""
    done.execute("SELECT 1 FROM pg_database WHERE datname = %s AND pg_get_userbyid(datdba) = %s", (name, role))
    return done.fetchone() is not None
