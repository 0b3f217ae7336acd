"""Through a pooler in transaction mode each transaction has the limits and the time zone that Norn relies on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import text

from norn_tasks.settings import Settings
from norn_tasks.store.database.bounded import BriefDatabase
from norn_tasks.store.database.prepared import Prepared
from norn_tasks.store.database.session import EVENTS, Database, note
from tests.pooler import Pooler
from tests.servers import Postgres

LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "TimeZone")


@pytest.fixture(scope="module")
def pooler(postgres: Postgres, private_dir: Path) -> Iterator[Pooler]:
    """A pooler with two connections to the server."""
    pooler = Pooler(private_dir / "pooler", postgres, size=2)
    yield pooler
    pooler.stop()


@pytest.fixture(params=[Database, BriefDatabase])
def pooled(request: pytest.FixtureRequest, pooler: Pooler, database: Database) -> Iterator[Database]:
    """The test's database through the pooler."""
    direct = database.url
    settings = Settings(database_url=pooler.url(direct.rpartition("/")[2]), database_listen_url=direct)
    pooled = request.param(settings.database_url, pool=4, pooled=settings.pooled)
    yield pooled
    pooled.dispose()


def limits(database: Database) -> dict[str, object]:
    with database.transaction() as tx:
        return {name: tx.scalar(text(f"SHOW {name}")) for name in LIMITS}


def test_the_limits_of_a_transaction_are_those_of_a_direct_connection(database: Database, pooled: Database) -> None:
    assert limits(pooled) == limits(database)
    assert limits(pooled)["lock_timeout"] == "10s"


def test_the_limits_stay_with_norns_own_transactions(pooler: Pooler, database: Database, pooled: Database) -> None:
    """Other clients of the pooler use the same connections to the server."""
    limits(pooled)
    with closing(psycopg2.connect(pooler.url(database.url.rpartition("/")[2]))) as other, other.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchall() == [("0",)]


def test_a_notification_reaches_a_listener_past_the_pooler(database: Database, pooled: Database) -> None:
    listener = pooled.listen(EVENTS, url=database.url)
    with pooled.transaction() as tx:
        note(tx, EVENTS, "through the pooler")
    assert listener.wait(5) == ["through the pooler"]
    listener.close()


def test_one_statement_that_is_a_transaction_by_itself_is_limited_too(pooled: Database) -> None:
    (row,) = pooled.execute_autocommit(Prepared("SELECT current_setting('lock_timeout') AS limit"), {})
    assert row["limit"] == "10s"
