"""Prepared statements: PostgreSQL parses and plans them once per connection, not at each use.

Planning was two thirds of PostgreSQL's work for a claim. Through a pooler in transaction mode, each transaction may get
another session, which does not know the statements of earlier sessions. There, statements are sent as text.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, TextClause, event, text
from sqlalchemy.exc import DBAPIError

from norn_tasks.domain.errors import DatabaseDown

REPLANNED_SECONDS = 10.0
"""Seconds after which a connection plans a statement again, because tables may have grown since it was planned."""
MOST = 200
"""The most statements that a connection keeps; when it needs another one, it first drops all of them."""

_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")
_CHANGES = re.compile(r"\b(INSERT|DELETE|(?<!FOR )UPDATE|EXECUTE norn_w_\w+)\b", re.IGNORECASE)
_KNOWN = "norn_prepared"
_OUT_OF_DATE = ("0A000", "26000", "42P05")
"""The server's error codes for a prepared statement: its columns have changed; it does not exist; one with its name
already exists.
"""


@lru_cache(4096)
def changes(statement: str) -> bool:
    """Returns True for a statement that changes rows, or that executes a prepared statement whose name says so."""
    return _CHANGES.search(statement) is not None


def arrays(columns: Mapping[str, str]) -> str:
    """Returns the SQL of a table whose rows are passed as one array for each column; `columns` has their types."""
    passed = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
    return f"SELECT * FROM unnest({passed}) AS passed({', '.join(columns)})"  # noqa: S608 - built from constants


class Prepared:
    """A statement with parameters such as `:job`; PostgreSQL infers their types.

    `fixed`: parameters whose values decide the plan. Each combination of these values is a separate prepared statement
    with the values in its text, so there should be few combinations.
    """

    def __init__(self, statement: str, *, fixed: tuple[str, ...] = ()) -> None:
        self.text, self.fixed = statement, fixed
        self._name = f"norn_{'w' if changes(statement) else 'r'}_{_hashed(statement)}"

    @cached_property
    def clause(self) -> TextClause:
        """The statement in the form that is sent to connections that do not prepare statements."""
        return text(self.text)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters of each use, in the order in which they are numbered."""
        return tuple(name for name in dict.fromkeys(_PARAMETER.findall(self.text)) if name not in self.fixed)

    def name(self, values: Mapping[str, Any]) -> str:
        """Returns the name under which the statement is prepared for these values of the fixed parameters."""
        return f"{self._name}_{_hashed(repr([values[name] for name in self.fixed]))}" if self.fixed else self._name

    def prepare(self, connection: Connection, values: Mapping[str, Any]) -> str:
        """Returns the SQL that prepares the statement; `connection` knows how values are quoted."""
        words = {name: f"${n}" for n, name in enumerate(self.parameters, 1)}
        cursor: Any = connection.connection.cursor()
        words |= {name: cursor.mogrify("%s", (values[name],)).decode() for name in self.fixed}
        return f"PREPARE {self.name(values)} AS {_PARAMETER.sub(lambda found: words[found[1]], self.text)}"

    def execute(self, values: Mapping[str, Any]) -> str:
        """Returns the SQL that runs the prepared statement, with its parameters in the driver's notation."""
        passed = ", ".join(f"%({name})s" for name in self.parameters)
        return f"EXECUTE {self.name(values)}" + (f"({passed})" if passed else "")


def _hashed(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def prepare_on(engine: Engine) -> None:
    """Makes the connections of this engine prepare statements; a new connection has prepared none yet."""

    def connected(_driver: object, record: Any) -> None:
        record.info[_KNOWN] = {}

    event.listen(engine, "connect", connected)


def run(
    connection: Connection, statement: Prepared, values: Mapping[str, Any], *, before: str = ""
) -> CursorResult[Any]:
    """Runs the statement; as a prepared statement, unless the connection leads to a pooler.

    `before`: SQL that is sent in the same message as a prepared statement, such as `BEGIN;`.

    Raises DatabaseDown when the server no longer has the statement as it was prepared; the transaction can then be
    tried again, and will get another connection.
    """
    known: dict[str, float] | None = connection.info.get(_KNOWN)
    if known is None:
        return connection.execute(statement.clause, values)
    try:
        if time.monotonic() - known.get(statement.name(values), float("-inf")) > REPLANNED_SECONDS:
            _prepare(connection, statement, values, known)
        passed = {name: values[name] for name in statement.parameters}
        return connection.exec_driver_sql(before + statement.execute(values), passed)
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) not in _OUT_OF_DATE:
            raise
        connection.invalidate()
        sentence = "a statement that was prepared is out of date in the database"
        raise DatabaseDown(sentence, hint="try again", retry_after=1) from error


def _prepare(connection: Connection, statement: Prepared, values: Mapping[str, Any], known: dict[str, float]) -> None:
    name = statement.name(values)
    if len(known) >= MOST:
        connection.exec_driver_sql("DEALLOCATE ALL")
        known.clear()
    if name in known:
        connection.exec_driver_sql(f"DEALLOCATE {name}")
        del known[name]
    connection.exec_driver_sql(statement.prepare(connection, values).replace("%", "%%"), ())
    known[name] = time.monotonic()
