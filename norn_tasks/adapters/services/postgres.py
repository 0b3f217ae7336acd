"""Databases of apps on one PostgreSQL server. Each app has a role, which owns the app's databases and cannot connect to
others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import encrypt_password

from norn_tasks.domain.errors import ServiceDown, ServiceTaken, StepFailed
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.services import SeenDatabase

CONNECTIONS = 20
"""The most connections that an app may have open at the same time."""
_CONNECT_SECONDS, _STATEMENT_SECONDS = 5, 60


def answers(url: str) -> bool:
    """Returns True if the server accepts connections."""
    try:
        psycopg2.connect(url, connect_timeout=_CONNECT_SECONDS).close()
    except psycopg2.Error:
        return False
    return True


def require(url: str) -> None:
    """Raises ServiceDown if the server does not accept connections."""
    with cursor(url):
        return


def make(url: str, role: str, password: Secret, databases: tuple[str, ...]) -> None:
    """Creates the role and the databases if they are missing, and makes the role log in with this password only."""
    with cursor(url) as done:
        _role(done, role, password)
        for database in databases:
            _database(done, role, database)


def remove(url: str, role: str, databases: tuple[str, ...], *, last: bool) -> None:
    """Drops the databases of the role with all data. `last`: the role has no other databases, and is dropped too."""
    with cursor(url) as done:
        for database in databases:
            if _owner(done, database) == role:
                done.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
        if last and _exists(done, role):
            try:
                done.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
            except errors.DependentObjectsStillExist:
                # The role still owns a database of an earlier infraspec, but can no longer log in.
                done.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))


def seen(url: str, databases: tuple[str, ...]) -> tuple[SeenDatabase, ...]:
    """Returns the size and the number of connections of each of these databases that exists."""
    with cursor(url) as done:
        done.execute(
            "SELECT datname, pg_database_size(oid), (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid)"
            " FROM pg_database d WHERE datname = ANY(%s) ORDER BY datname",
            (list(databases),),
        )
        return tuple(SeenDatabase(str(name), int(size), int(open_)) for name, size, open_ in done.fetchall())


def _role(cursor: Any, role: str, password: Secret) -> None:
    # Only a hash of the password is sent to the server, so that its log cannot show the password.
    verifier = encrypt_password(password.reveal(), role, scope=cursor.connection, algorithm="scram-sha-256")
    name, limit = sql.Identifier(role), sql.Literal(CONNECTIONS)
    if not _exists(cursor, role):
        with suppress(errors.DuplicateObject):
            cursor.execute(sql.SQL("CREATE ROLE {}").format(name))
    rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION" if _is_superuser(cursor) else "LOGIN"
    change = sql.SQL("ALTER ROLE {} " + rights + " CONNECTION LIMIT {} PASSWORD {}")
    cursor.execute(change.format(name, limit, sql.Literal(verifier)))


def _database(cursor: Any, role: str, database: str) -> None:
    name, owner = sql.Identifier(database), sql.Identifier(role)
    found = _owner(cursor, database)
    if found is None:
        if not _is_superuser(cursor):
            cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))
        cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(name, owner))
    elif found != role:
        raise ServiceTaken(
            f"services.postgres.database: {database} is there already and belongs to the role {found}",
            hint="name another database; Norn uses only databases that it created",
        )
    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))


def _exists(cursor: Any, role: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    return cursor.fetchone() is not None


def _owner(cursor: Any, database: str) -> str | None:
    cursor.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (database,))
    found = cursor.fetchone()
    return None if found is None else str(found[0])


def _is_superuser(cursor: Any) -> bool:
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(cursor.fetchone()[0])


@contextmanager
def cursor(url: str) -> Iterator[Any]:
    """Yields a cursor that commits each statement; raises ServiceDown, or StepFailed if the server refuses a
    statement.
    """
    try:
        connection = psycopg2.connect(url, connect_timeout=_CONNECT_SECONDS, application_name="norn")
    except psycopg2.Error as error:
        if "does not exist" in str(error):
            raise StepFailed(f"the PostgreSQL for apps refuses: {_said(error)}", hint=_HINT) from error
        raise ServiceDown(f"the PostgreSQL for apps does not answer: {_said(error)}", hint=_HINT) from error
    connection.autocommit = True
    try:
        with connection.cursor() as done:
            done.execute(f"SET statement_timeout = '{_STATEMENT_SECONDS}s'")
            yield done
    except psycopg2.OperationalError as error:
        raise ServiceDown(f"the PostgreSQL for apps gave up: {_said(error)}", hint=_HINT) from error
    except psycopg2.Error as error:
        raise StepFailed(f"the PostgreSQL for apps refuses: {_said(error)}", hint=_HINT) from error
    finally:
        connection.close()


_HINT = "norn doctor; docs/services.md says what the role of NORN_SERVICES_POSTGRES_URL needs"


def _said(error: psycopg2.Error) -> str:
    return " ".join(str(error).split())[:300]
