"""A slow database behind a `BriefDatabase`, which limits the time of each transaction: which requests fail, with which
error, and whether their changes may have been made.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import DatabaseDown, Unconfirmed
from norn_tasks.store.database.bounded import BriefDatabase
from norn_tasks.store.database.session import Database, Tx
from tests import factories
from tests.integration.slow_commits import commits_take
from tests.servers import Postgres, allowed, wait_until


@pytest.fixture
def brief(database_url: str) -> Iterator[BriefDatabase]:
    """A database that gives each transaction half a second."""
    brief = BriefDatabase(database_url, seconds=0.5)
    yield brief
    brief.dispose()


def _sleepers(tx: Tx) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    return int(tx.scalar(text(query)) or 0)


def test_change_whose_commit_was_not_heard_of_may_have_been_made(brief: BriefDatabase, database: Database) -> None:
    with commits_take(database, "apps", seconds=1.0):
        with pytest.raises(Unconfirmed), brief.transaction() as tx:
            factories.add_app(tx, factories.spec("blog"))

        def made() -> bool:
            with database.transaction() as tx:
                return tx.scalar(text("SELECT count(*) FROM apps")) == 1

        wait_until(made, 10, "the server committed it")


def test_change_that_did_not_reach_its_commit_was_not_made(brief: BriefDatabase) -> None:
    with pytest.raises(DatabaseDown) as raised, brief.transaction() as tx:
        tx.execute(text("SELECT pg_sleep(2)"))
    assert not isinstance(raised.value, Unconfirmed)


def test_slow_statement_of_one_request_refuses_no_other(database_url: str, database: Database) -> None:
    brief = BriefDatabase(database_url, seconds=3)

    def slow() -> None:
        with pytest.raises(DatabaseDown), brief.transaction() as tx:
            tx.execute(text("SELECT pg_sleep(6)"))

    thread = threading.Thread(target=slow)
    thread.start()
    with database.transaction() as tx:
        wait_until(lambda: _sleepers(tx), allowed(5), "it sleeps")
    with brief.transaction() as tx:
        assert tx.scalar(text("SELECT 1")) == 1
    thread.join()
    with brief.transaction() as tx:
        assert tx.scalar(text("SELECT 1")) == 1
    brief.dispose()


def test_patient_reading_outlasts_the_limit(brief: BriefDatabase) -> None:
    with brief.patient(10), brief.transaction() as tx:
        assert tx.scalar(text("SELECT 1 FROM pg_sleep(1)")) == 1


def test_taken_connections_are_no_fault_of_the_database_and_name_no_library(database_url: str) -> None:
    narrow = Database(database_url, pool=1, overflow=0, pool_timeout=0.1)
    with narrow.transaction(), pytest.raises(DatabaseDown) as raised, narrow.transaction():
        pass
    narrow.dispose()
    assert raised.value.sentence == "all connections of this process to the database are in use"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://postgres@127.0.0.1:1/norn", "Connection refused"),
        ("postgresql://postgres@no-such-host.invalid:5432/norn", "the name of its host is not known"),
        ("{server}no_such_database", "it has no such database"),
        ("postgresql:///norn?host=/nowhere", "nothing listens on its socket"),
    ],
)
def test_reason_is_in_our_words(postgres: Postgres, url: str, words: str) -> None:
    database = Database(url.format(server=postgres.url("")))
    with pytest.raises(DatabaseDown) as raised, database.transaction():
        pass
    assert raised.value.sentence == f"the database does not answer: {words}"


def test_connection_whose_session_was_ended_is_replaced_before_its_use(database_url: str, database: Database) -> None:
    brief = BriefDatabase(database_url, ping_after_idle=60.0)
    with brief.transaction() as tx:
        session = tx.scalar(text("SELECT pg_backend_pid()"))
    with database.transaction() as tx:
        assert tx.scalar(text("SELECT pg_terminate_backend(:session, 5000)"), {"session": session})
    with brief.transaction() as tx:
        assert tx.scalar(text("SELECT pg_backend_pid()")) != session
    brief.dispose()
