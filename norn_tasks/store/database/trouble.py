"""Turns failures of PostgreSQL into the errors that Norn reports.

The text of a driver or a library never reaches a client, because it contains host and user names, and changes between
versions. Norn's error has the original error as its cause.
"""

from __future__ import annotations

import re

import psycopg2
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from norn_tasks.domain.errors import DatabaseDown, DeadlockVictim, Unconfirmed

TOO_LONG = "it took too long to answer"
_DEADLOCK = "40P01"
_BY_CODE = {
    "28": "it refuses the user or the password",
    "3D000": "it has no such database",
    "53100": "its disk is full",
    "53300": "all its connections are in use",
    "55P03": "a row was locked for too long",
    "57014": "a statement took too long",
    "57P01": "it was stopped",
    "57P02": "it was stopped",
    "57P03": "it is starting or stopping",
}
_BY_WORDS = (
    (r"Connection refused", "Connection refused"),
    (r"took too long|timeout expired|timed out", TOO_LONG),
    (r"password authentication|role \".*\" does not exist|pg_hba|no password supplied", _BY_CODE["28"]),
    (r"database \".*\" does not exist", _BY_CODE["3D000"]),
    (r"not currently accepting connections", "the database accepts no connections"),
    (r"too many clients|connection slots", _BY_CODE["53300"]),
    (r"startup parameter", "it is a pooler, and NORN_DATABASE_LISTEN_URL must name PostgreSQL itself"),
    (r"starting up|shutting down|recovery", _BY_CODE["57P03"]),
    (r"could not translate host name|Name or service not known", "the name of its host is not known"),
    (r"No such file or directory", "nothing listens on its socket"),
    (r"No route to host|Network is unreachable", "its host cannot be reached"),
)
_LOST = "the connection was lost"


def database_down(error: Exception) -> DatabaseDown:
    """Returns the error for a transaction that failed and was not committed."""
    if isinstance(error, PoolTimeout):
        sentence = "all connections of this process to the database are in use"
        return DatabaseDown(sentence, hint="try again in a moment", retry_after=2)
    if _code(error) == _DEADLOCK:
        return DeadlockVictim("another change to the same data came first", hint="try again", retry_after=1)
    return DatabaseDown(f"the database does not answer: {_reason(error)}", hint="norn health", retry_after=2)


def commit_failed(error: Exception, *, changed: bool) -> DatabaseDown:
    """Returns the error for a failed commit: Unconfirmed if PostgreSQL may have carried out a change, otherwise the
    result of `database_down`.
    """
    code = _code(error)
    if not changed or (code and not code.startswith(("08", "57P"))):
        return database_down(error)
    return unconfirmed(f"the database did not confirm this, so it may have been done or not: {_reason(error)}")


def unconfirmed(sentence: str) -> Unconfirmed:
    """Returns the error of a request that may have been carried out."""
    hint = "find out before you send it again; with an Idempotency-Key the same request can be repeated safely"
    return Unconfirmed(sentence, hint=hint)


def _driver(error: Exception) -> object:
    return error.orig if isinstance(error, DBAPIError) else error


def _code(error: Exception) -> str:
    driver = _driver(error)
    return (driver.pgcode or "") if isinstance(driver, psycopg2.Error) else ""


def _reason(error: Exception) -> str:
    code, text = _code(error), str(_driver(error))
    for start, reason in _BY_CODE.items():
        if code.startswith(start):
            return reason
    return next((reason for words, reason in _BY_WORDS if re.search(words, text)), _LOST)
