"""The door to PostgreSQL: one engine per process, transactions that say clearly when the database is away, and LISTEN.

Every function of the store takes a `Tx` that `Database.transaction()` gave; nobody outside the store names SQLAlchemy.
"""

from __future__ import annotations

import re
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import psycopg2
import psycopg2.errors
import psycopg2.extensions
from sqlalchemy import Connection, Engine, RootTransaction, RowMapping, TextClause, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.database import limits
from norn_tasks.store.database.trouble import commit_failed, database_down

T = TypeVar("T")

Tx = Connection
"""A transaction in progress; all its changes are committed or rolled back together."""

Row = RowMapping
"""A row by the names of its columns."""

Note = tuple[str, str]
"""A NOTIFY to be sent: channel and payload."""

EVENTS, ROUTES, SCHEDULES, CANCELS = "norn_events", "norn_routes", "norn_schedules", "norn_cancels"
"""The channels of NOTIFY: any event; replicas or addresses changed; a schedule changed; a running job is cancelled."""

_ALIVE: dict[str, Any] = {
    "connect_timeout": 2, "keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}  # fmt: skip
"""A server that was cut off silently is noticed within about ten seconds, not after minutes."""


def full_url(url: str) -> str:
    """Names the driver: SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if scheme in ("postgres", "postgresql") else url


def plain_url(url: str) -> str:
    """Returns the URL in libpq's syntax."""
    return "postgresql://" + url.partition("://")[2]


def connection_parameters(url: str) -> tuple[str, dict[str, str]]:
    """Returns the URL for a command line of libpq's programs, and the environment that holds its password."""
    words = psycopg2.extensions.parse_dsn(plain_url(url))
    password = words.pop("password", None)
    return psycopg2.extensions.make_dsn(**words), {"PGPASSWORD": password} if password else {}


_CHANGES = re.compile(r"\b(INSERT|DELETE|(?<!FOR )UPDATE)\b", re.IGNORECASE)
_CHANGED, _NOTES = "norn_changed", "norn_notes"
_of_thread = threading.local()


@lru_cache(4096)
def _changes(statement: str) -> bool:
    return _CHANGES.search(statement) is not None


def changes_of_thread() -> int:
    """Returns how many transactions that change rows this thread has committed, in whatever database."""
    return getattr(_of_thread, "changes", 0)


class Database:
    """A pool of connections to one PostgreSQL; safe to use from many threads, to be disposed of in a forked child.

    It opens at most `pool` connections, and for a while `overflow` more. It takes the one that was used last, so that
    those that it does not need stay unused, and the server ends them after `limits.UNUSED_SECONDS`. `pooled`: the URL
    leads to a pooler in transaction mode. `process` is what the server's list of sessions calls this process. A
    connection that was not used for `ping_after_idle` seconds is asked whether it lives before it is used; 0: always.
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
            connect_args={**_ALIVE, **({} if pooled else limits.options()), "application_name": process},
        )
        event.listen(self._engine, "before_cursor_execute", _note_change)
        self._alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        if pooled:
            limits.limit_each_transaction(self._engine)
        if ping_after_idle:
            _ping_idle_connections(self._engine, ping_after_idle)

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Gives a transaction that commits at the end of the block, and rolls back when the block raises.

        Raises DatabaseDown when PostgreSQL cannot be reached or went away, and nothing was committed; Unconfirmed when
        it went away during the commit of a change, which it may have carried out. Raises DeadlockVictim when the
        transaction was rolled back, because another one and this one waited for each other.
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
        """Lets the transactions of this thread take `seconds`, where a database is asked briefly otherwise."""
        yield

    def execute_autocommit(
        self, statement: TextClause, values: Mapping[str, Any], note: Note | None = None
    ) -> Sequence[Row]:
        """Runs one statement that is a transaction by itself, without the turns that BEGIN and COMMIT take.

        `note` is announced after it, when it answers a row. Raises DatabaseDown as `transaction` does. Through a
        pooler it is a transaction like others, which has the limits.
        """
        if self._pooled:
            return self._execute_in_transaction(statement, values, note)
        with _translated(), self._alone.connect() as connection:
            rows = connection.execute(statement, values).mappings().all()
            if note is not None and rows:
                _announce(connection, (note,))
            return rows

    def _execute_in_transaction(
        self, statement: TextClause, values: Mapping[str, Any], then: Note | None
    ) -> Sequence[Row]:
        with self.transaction() as tx:
            rows = tx.execute(statement, values).mappings().all()
            if then is not None and rows:
                note(tx, *then)
        return rows

    def listen(self, *channels: str, url: str = "") -> Listener:
        """Opens a connection that hears NOTIFY on the channels; raises DatabaseDown."""
        return Listener(url or self.url, channels)

    def dispose(self, *, close: bool = True) -> None:
        """Lets go of every pooled connection; `close=False` in a forked child, whose parent still uses them."""
        self._engine.dispose(close=close)


AGAIN = 0.5
"""Seconds before a transaction is tried again."""


def retry_while_down(write: Callable[[], T], seconds: float, further: Callable[[], bool] = lambda: False) -> T:
    """Retries a transaction for `seconds` while PostgreSQL is away or chooses it as a deadlock victim.

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
    """Remembers a NOTIFY, to be sent when this transaction has committed."""
    tx.info[_NOTES][(channel, payload)] = None


def _announce(connection: Connection, notes: Sequence[Note]) -> None:
    """Sends the notifications after the commit. Listeners also poll once a second, so a lost one costs little.

    Commits with a NOTIFY in them go one at a time, each with its own wait for the disk. The driver is asked directly:
    SQLAlchemy's change of the isolation level takes further turns, whose failure would hide that the commit succeeded.
    """
    driver: Any = connection.connection.dbapi_connection
    before = driver.autocommit
    try:
        driver.autocommit = True
        with driver.cursor() as cursor:
            cursor.execute(_ANNOUNCE, ([channel for channel, _ in notes], [payload for _, payload in notes]))
        driver.autocommit = before
    except psycopg2.Error:
        connection.invalidate()


_ANNOUNCE = "SELECT pg_notify(c, p) FROM unnest(CAST(%s AS text[]), CAST(%s AS text[])) AS n(c, p)"


def _commit(transaction: RootTransaction, *, changed: bool) -> None:
    try:
        transaction.commit()
    except (OperationalError, InterfaceError) as error:
        raise commit_failed(error, changed=changed) from error
    if changed:
        _of_thread.changes = changes_of_thread() + 1


def _note_change(connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
    if _changes(statement):
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


def _ping_idle_connections(engine: Engine, seconds: float) -> None:
    """Pings a connection on checkout when it has been idle for `seconds`."""

    def given_back(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    def given_out(connection: Any, record: Any, _proxy: object) -> None:
        if time.monotonic() - record.info.get("used", float("inf")) < seconds:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg2.Error as error:
            raise DisconnectionError(str(error)) from error

    event.listen(engine, "checkin", given_back)
    event.listen(engine, "checkout", given_out)


class Listener:
    """One connection that waits for NOTIFY; after DatabaseDown it is of no more use."""

    def __init__(self, url: str, channels: tuple[str, ...]) -> None:
        try:
            self._connection = psycopg2.connect(plain_url(url), **_ALIVE, application_name="norn-listen")
            self._connection.set_session(autocommit=True)
            with self._connection.cursor() as cursor:
                for channel in channels:
                    cursor.execute(f"LISTEN {channel}")
        except psycopg2.Error as error:
            raise database_down(error) from error

    def wait(self, seconds: float, *also: int) -> list[str]:
        """Returns the payloads that arrive within `seconds`, at once if there are some; `also`: more descriptors whose
        readiness ends the wait. Raises DatabaseDown if the connection is lost.
        """
        try:
            watched: list[Any] = [self._connection, *also]
            ready, _, _ = select.select(watched, [], [], max(0.0, seconds))
            if self._connection in ready:
                self._connection.poll()
            heard = [note.payload for note in self._connection.notifies]
            self._connection.notifies.clear()
        except (psycopg2.Error, OSError, ValueError) as error:
            raise database_down(error) from error
        return heard

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()
