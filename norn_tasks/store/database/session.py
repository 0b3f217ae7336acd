"""Access to PostgreSQL: one engine per process, and transactions that report clearly if the database is unreachable.

Every function of the store takes a `Tx` of `Database.transaction()`; code outside the store does not use SQLAlchemy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2
import psycopg2.errors
from sqlalchemy import Connection, RootTransaction, RowMapping, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.database import limits
from norn_tasks.store.database.listening import Listener
from norn_tasks.store.database.pinging import ping_unsure_connections
from norn_tasks.store.database.prepared import Prepared, changes, prepare_on, run
from norn_tasks.store.database.trouble import commit_failed, database_down
from norn_tasks.store.database.urls import ALIVE, full_url

T = TypeVar("T")

Tx = Connection
"""A transaction in progress; all its changes are committed or rolled back together."""

Row = RowMapping
"""A row by the names of its columns."""

Note = tuple[str, str]
"""A NOTIFY to be sent: channel and payload."""

EVENTS, ROUTES, SCHEDULES, CANCELS = "norn_events", "norn_routes", "norn_schedules", "norn_cancels"
"""The channels of NOTIFY: any event; a change of replicas or addresses; a change of a schedule; the cancellation of a
running job.
"""

_CHANGED, _NOTES = "norn_changed", "norn_notes"
_of_thread = threading.local()


def changes_of_thread() -> int:
    """Returns how many transactions that change rows this thread has committed, in any database."""
    return getattr(_of_thread, "changes", 0)


def count_change() -> None:
    """Counts a committed change of this thread; another thread may have committed it for this one."""
    _of_thread.changes = changes_of_thread() + 1


class Database:
    """A pool of connections to one PostgreSQL. Many threads may use it at once; a forked child must dispose of it.

    It opens at most `pool` connections, and for a while `overflow` more. It takes the connection that was used last, so
    that surplus connections stay unused, and the server ends them after `limits.UNUSED_SECONDS`. `pooled`: the URL
    leads to a pooler in transaction mode. `process` is the name of this process in the server's list of sessions. A
    connection that was not used for `ping_after_idle` seconds, or on which something unexpected has arrived, such as
    the end of its session, is pinged first; if `ping_after_idle` is 0, every connection is.
    """

    def __init__(
        self,
        url: str,
        *,
        pool: int = 10,
        overflow: int = 0,
        pool_timeout: float = 3.0,
        ping_after_idle: float = 0.0,
        pooled: bool = False,
        process: str = "norn",
    ) -> None:
        self.url, self._pooled = full_url(url), pooled
        self._engine = create_engine(
            self.url,
            pool_size=pool,
            max_overflow=overflow,
            pool_timeout=pool_timeout,
            pool_pre_ping=not ping_after_idle,
            pool_use_lifo=True,
            connect_args={**ALIVE, **({} if pooled else limits.options()), "application_name": process},
        )
        event.listen(self._engine, "before_cursor_execute", _note_change)
        if pooled:
            limits.limit_each_transaction(self._engine)
        else:
            prepare_on(self._engine)
        if ping_after_idle:
            ping_unsure_connections(self._engine, ping_after_idle)

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Yields a transaction that commits at the end of the block, and rolls back when the block raises.

        Raises DatabaseDown if PostgreSQL cannot be reached or the connection was lost, and nothing was committed.
        Raises Unconfirmed if the connection was lost during the commit of a change, which PostgreSQL may have carried
        out. Raises DeadlockVictim if this transaction and another one waited for each other, and PostgreSQL rolled this
        one back.
        """
        with _translated(), self._engine.connect() as connection:
            notes: dict[Note, None] = {}
            connection.info.update({_NOTES: notes, _CHANGED: False})
            with connection.begin() as transaction:
                yield connection
                _commit(transaction, changed=connection.info[_CHANGED])
            if notes:
                _announce(connection, tuple(notes))

    @contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """Does nothing here. In a BriefDatabase, which limits the time of transactions, lets the transactions of this
        thread take `seconds`.
        """
        yield

    def execute_autocommit(
        self, statement: Prepared, values: Mapping[str, Any], noted: Callable[[Row], Note] | None = None
    ) -> Sequence[Row]:
        """Runs one statement that is a transaction by itself, without the round trips of BEGIN and COMMIT.

        `noted` returns the NOTIFY about a returned row, which is sent afterwards. Raises DatabaseDown as `transaction`
        does. Through a pooler the statement runs in an ordinary transaction, which sets the limits.
        """
        if self._pooled:
            return self._execute_in_transaction(statement, values, noted)
        with _translated(), self._engine.connect() as connection, _autocommitting(connection) as driver:
            rows = run(connection, statement, values).mappings().all()
            if noted is not None and rows:
                _send(connection, driver, tuple(map(noted, rows)))
            return rows

    def _execute_in_transaction(
        self, statement: Prepared, values: Mapping[str, Any], noted: Callable[[Row], Note] | None
    ) -> Sequence[Row]:
        return self.commit_one(statement, values, lambda rows: tuple(map(noted, rows)) if noted is not None else ())

    def commit_one(
        self, statement: Prepared, values: Mapping[str, Any], notes: Callable[[Sequence[Row]], Sequence[Note]]
    ) -> Sequence[Row]:
        """Runs one statement in a transaction of its own, and then sends the notes of its rows.

        It takes two messages: BEGIN with the statement, and COMMIT with the notes. Raises as `transaction` does.
        """
        if self._pooled:
            with self.transaction() as tx:
                rows = run(tx, statement, values).mappings().all()
                for each in notes(rows):
                    note(tx, *each)
            return rows
        with _translated(), self._engine.connect() as connection, _autocommitting(connection) as driver:
            try:
                rows = run(connection, statement, values, before="BEGIN; ").mappings().all()
            except BaseException:
                _roll_back(connection, driver)
                raise
            _commit_and_send(driver, notes(rows))
            count_change()
            return rows

    def listen(self, *channels: str, url: str = "") -> Listener:
        """Opens a connection that receives NOTIFY on the channels; raises DatabaseDown."""
        return Listener(url or self.url, channels)

    def dispose(self, *, close: bool = True) -> None:
        """Closes every pooled connection; `close=False` only forgets them, in a fork whose parent uses them."""
        self._engine.dispose(close=close)


AGAIN = 0.5
"""Seconds before a transaction is tried again."""


def retry_while_down(write: Callable[[], T], seconds: float, further: Callable[[], bool] = lambda: False) -> T:
    """Retries a transaction for `seconds` while PostgreSQL is unreachable or chooses it as a deadlock victim.

    After that it retries while `further` returns True, and then raises DatabaseDown. A transaction whose response was
    lost may have committed, so it must be idempotent.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return write()
        except DatabaseDown:
            if time.monotonic() > end and not further():
                raise
            time.sleep(AGAIN)


def server_version(database: Database) -> int:
    """Returns the major version of the server."""
    with database.transaction() as tx:
        return int(tx.scalar(text("SHOW server_version_num"))) // 10_000


def note(tx: Tx, channel: str, payload: str) -> None:
    """Stores a NOTIFY, to be sent when this transaction has committed."""
    tx.info[_NOTES][(channel, payload)] = None


def _announce(connection: Connection, notes: Sequence[Note]) -> None:
    """Sends the notifications after the commit. Listeners also poll once a second, so a notification may get lost."""
    with _autocommitting(connection) as driver:
        _send(connection, driver, notes)


@contextmanager
def _autocommitting(connection: Connection) -> Iterator[Any]:
    """Sets a connection that is in no transaction to autocommit, and yields the driver's connection.

    It sets the attribute of the driver's own connection. SQLAlchemy would make further round trips, and if they failed,
    they would hide that the commit before them succeeded.
    """
    driver: Any = connection.connection.dbapi_connection
    driver.autocommit = True
    try:
        yield driver
    finally:
        if driver.closed:
            connection.invalidate()
        else:
            driver.autocommit = False


def _send(connection: Connection, driver: Any, notes: Sequence[Note]) -> None:
    try:
        with driver.cursor() as cursor:
            cursor.execute(_ANNOUNCE, _columns(notes))
    except psycopg2.Error:
        connection.invalidate()


def _columns(notes: Sequence[Note]) -> tuple[list[str], list[str]]:
    return [channel for channel, _ in notes], [payload for _, payload in notes]


def _roll_back(connection: Connection, driver: Any) -> None:
    """Ends a transaction that was begun in the driver's autocommit mode."""
    try:
        with driver.cursor() as cursor:
            cursor.execute("ROLLBACK")
    except psycopg2.Error:
        connection.invalidate()


def _commit_and_send(driver: Any, notes: Sequence[Note]) -> None:
    """Commits, and sends the notes in the same message; the server begins with them when it has committed."""
    try:
        with driver.cursor() as cursor:
            cursor.execute(f"COMMIT; {_ANNOUNCE}" if notes else "COMMIT", _columns(notes) if notes else None)
    except psycopg2.Error as error:
        raise commit_failed(error, changed=True) from error


# PostgreSQL runs commits that contain a NOTIFY one at a time, so notifications get transactions of their own. A
# notification that is lost in a crash does no harm, so these commits do not wait for the disk.
_ANNOUNCE = """SELECT set_config('synchronous_commit', 'off', true), pg_notify(c, p)
  FROM unnest(CAST(%s AS text[]), CAST(%s AS text[])) AS n(c, p)"""


def _commit(transaction: RootTransaction, *, changed: bool) -> None:
    try:
        transaction.commit()
    except (OperationalError, InterfaceError) as error:
        raise commit_failed(error, changed=changed) from error
    if changed:
        count_change()


def _note_change(connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
    if changes(statement):
        connection.info[_CHANGED] = True


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise database_down(error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise database_down(error) from error
        raise
