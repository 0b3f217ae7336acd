"""The door to PostgreSQL: one engine per process, transactions that say clearly when the database is away, and LISTEN.

Every function of the store takes a `Tx` that `Database.transaction()` gave; nobody outside the store names SQLAlchemy.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2
import psycopg2.errors
import psycopg2.extensions
from sqlalchemy import Connection, Engine, RowMapping, TextClause, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from norn_tasks.domain.errors import DatabaseDown, GaveWay

T = TypeVar("T")

Tx = Connection
"""A transaction in progress; what is done with it is committed or rolled back as one."""

Row = RowMapping
"""A row by the names of its columns."""

Note = tuple[str, str]
"""A NOTIFY to be sent: channel and payload."""

EVENTS, ROUTES, SCHEDULES = "norn_events", "norn_routes", "norn_schedules"
"""The channels of NOTIFY: any event; replicas or addresses changed; a schedule changed."""

_OPTIONS = (
    "-c statement_timeout=20000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=30000 -c timezone=UTC"
)


_ALIVE: dict[str, Any] = {
    "connect_timeout": 2, "keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}  # fmt: skip
"""A server that was cut off without a word is known to be away within about ten seconds, not after minutes."""


def full_url(url: str) -> str:
    """Names the driver: SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if scheme in ("postgres", "postgresql") else url


def plain_url(url: str) -> str:
    """Answers the URL as libpq reads it."""
    return "postgresql://" + url.partition("://")[2]


def connection_words(url: str) -> tuple[str, dict[str, str]]:
    """Answers the URL as libpq's programs take it on a command line, and the environment that holds its password."""
    words = psycopg2.extensions.parse_dsn(plain_url(url))
    password = words.pop("password", None)
    return psycopg2.extensions.make_dsn(**words), {"PGPASSWORD": password} if password else {}


def _down(error: Exception) -> DatabaseDown:
    if isinstance(getattr(error, "orig", None), psycopg2.errors.DeadlockDetected):
        return GaveWay("another change of the same rows came first", hint="try again", retry_after=1)
    first_line = (str(getattr(error, "orig", None) or error).strip() or type(error).__name__).splitlines()[0]
    return DatabaseDown(f"the database does not answer: {first_line}", hint="norn health", retry_after=2)


class Database:
    """A pool of connections to one PostgreSQL; safe to use from many threads, to be disposed of in a forked child.

    A connection that was not used for `rested` seconds is asked whether it lives before it is used; 0: always.
    """

    def __init__(
        self, url: str, *, pool: int = 10, overflow: int = 20, pool_timeout: float = 3.0, rested: float = 0.0
    ) -> None:
        self.url = full_url(url)
        self._engine = create_engine(
            self.url,
            pool_size=pool,
            max_overflow=overflow,
            pool_timeout=pool_timeout,
            pool_pre_ping=not rested,
            connect_args={**_ALIVE, "options": _OPTIONS, "application_name": "norn"},
        )
        self._alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        if rested:
            _ask_the_rested(self._engine, rested)

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Gives a transaction that commits at the end of the block, and rolls back when the block raises.

        Raises DatabaseDown when PostgreSQL cannot be reached or went away; then it may have committed or not. Raises
        GaveWay when it was rolled back, because another one and this one waited for each other.
        """
        with _translated(), self._engine.connect() as connection:
            notes: dict[Note, None] = {}
            connection.info[_NOTES] = notes
            with connection.begin():
                yield connection
            if notes:
                _announce(connection.execution_options(isolation_level="AUTOCOMMIT"), tuple(notes))

    def alone(self, statement: TextClause, values: Mapping[str, Any], note: Note | None = None) -> Sequence[Row]:
        """Runs one statement that is a transaction by itself, without the turns that BEGIN and COMMIT take.

        `note` is announced after it, when it answers a row. Raises DatabaseDown as `transaction` does.
        """
        with _translated(), self._alone.connect() as connection:
            rows = connection.execute(statement, values).mappings().all()
            if note is not None and rows:
                _announce(connection, (note,))
            return rows

    def listen(self, *channels: str, url: str = "") -> Listener:
        """Opens a connection that hears NOTIFY on the channels; raises DatabaseDown."""
        return Listener(url or self.url, channels)

    def dispose(self, *, close: bool = True) -> None:
        """Lets go of every pooled connection; `close=False` in a forked child, whose parent still uses them."""
        self._engine.dispose(close=close)


AGAIN = 0.5
"""Seconds before a transaction is tried again."""


def patiently(write: Callable[[], T], seconds: float, further: Callable[[], bool] = lambda: False) -> T:
    """Makes a transaction again while PostgreSQL is away or gives another one the way, for so many seconds.

    After them it goes on while `further` says so, and then raises DatabaseDown. One whose answer was lost may have
    committed: it must be one that does no more when it is made twice.
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
    """Answers the major version of the server."""
    with database.transaction() as tx:
        return int(tx.scalar(text("SHOW server_version_num"))) // 10_000


def note(tx: Tx, channel: str, payload: str) -> None:
    """Remembers a NOTIFY, to be sent when this transaction has committed."""
    tx.info[_NOTES][(channel, payload)] = None


def _announce(connection: Connection, notes: Sequence[Note]) -> None:
    """Sends what was noted, behind the commit: whoever listens also looks once a second, so a lost one costs little.

    Commits with a NOTIFY in them go one at a time, each with its own wait for the disk.
    """
    bound = {"channels": [channel for channel, _ in notes], "payloads": [payload for _, payload in notes]}
    try:
        connection.execute(_ANNOUNCE, bound)
    except DBAPIError:
        connection.invalidate()


_NOTES = "norn_notes"
_ANNOUNCE = text("SELECT pg_notify(c, p) FROM unnest(CAST(:channels AS text[]), CAST(:payloads AS text[])) AS n(c, p)")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise _down(error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _down(error) from error
        raise


def _ask_the_rested(engine: Engine, seconds: float) -> None:
    """Asks a connection whether it lives when the pool gives it out after so many seconds of rest."""

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
            raise _down(error) from error

    def wait(self, seconds: float, *also: int) -> list[str]:
        """Answers the payloads heard within so many seconds: at once when there are some; `also`: more descriptors
        whose readiness ends the wait. Raises DatabaseDown when the connection is gone.
        """
        try:
            watched: list[Any] = [self._connection, *also]
            ready, _, _ = select.select(watched, [], [], max(0.0, seconds))
            if self._connection in ready:
                self._connection.poll()
            heard = [note.payload for note in self._connection.notifies]
            self._connection.notifies.clear()
        except (psycopg2.Error, OSError, ValueError) as error:
            raise _down(error) from error
        return heard

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()
