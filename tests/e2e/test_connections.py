"""Counts the connections to PostgreSQL that each process of Norn has under load, directly and through a connection
pooler.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.e2e.apps import deploy_function
from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.pooler import Pooler
from tests.servers import Broker, Postgres, wait_until

pytestmark = pytest.mark.timeout(240)

SHARED = 5
"""NORN_DATABASE_CONNECTIONS of the tests."""
MOST = {
    "norn-api": SHARED, "norn-invoke": SHARED + 3, "norn-cron": SHARED + 3, "norn-observe": SHARED + 3,
    "norn-deploy": SHARED + 3, "norn-beat": 5, "norn-router": 4, "norn-listen": 7,
}  # fmt: skip
"""The numbers that docs/workers.md states for one process of each kind."""
CALLS = 24
POOLED = 4
NORN, LISTEN = "all of norn", "norn-listen"


@pytest.fixture(scope="module")
def broker(private_dir: Path) -> Iterator[Broker]:
    broker = Broker(private_dir / "connections")
    yield broker
    broker.stop()


def started(postgres: Postgres, broker: Broker, home: Path, **environment: str) -> Iterator[Stack]:
    home.mkdir()
    stack = new_stack(postgres, broker.url, home, NORN_DATABASE_CONNECTIONS=str(SHARED), **environment)
    try:
        yield stack
    finally:
        stack.stop()
        clean_up(stack)


@pytest.fixture
def direct(postgres: Postgres, private_dir: Path, engine_address: str, broker: Broker) -> Iterator[Stack]:
    """A Norn whose processes connect to the server directly. It is stopped before the next one uses the broker."""
    yield from started(postgres, broker, private_dir / "direct", NORN_WORKERS_INVOKE="16")


@pytest.fixture(scope="module")
def pooler(postgres: Postgres, private_dir: Path) -> Iterator[Pooler]:
    pooler = Pooler(private_dir / "pool", postgres, size=POOLED)
    yield pooler
    pooler.stop()


@pytest.fixture(scope="module")
def pooled(
    postgres: Postgres, private_dir: Path, engine_address: str, broker: Broker, pooler: Pooler
) -> Iterator[Stack]:
    """A Norn whose processes connect through a pooler with few connections, and listen to notifications without the
    pooler.
    """
    for stack in started(postgres, broker, private_dir / "pooled"):
        direct = stack.database_url
        through = pooler.url(direct.rpartition("/")[2])
        stack.environment |= {"NORN_DATABASE_URL": through, "NORN_DATABASE_LISTEN_URL": direct}
        yield stack


class Count:
    """The largest number of simultaneous connections to a database, by the names that the processes give them."""

    def __init__(self, postgres: Postgres, database_url: str) -> None:
        self._postgres, self._database = postgres, database_url.rpartition("/")[2]
        self.most: Counter[str] = Counter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Count:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        connection = psycopg2.connect(self._postgres.url("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not self._over.wait(0.05):
                cursor.execute(
                    "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = %s GROUP BY 1",
                    [self._database],
                )
                found = dict(cursor.fetchall())
                found[NORN] = sum(n for name, n in found.items() if name.startswith("norn-") and name != LISTEN)
                self.most |= Counter(found)
        connection.close()


def worked(stack: Stack) -> None:
    """Gives workers of every class jobs at the same time, while clients read."""
    stack.start()
    deploy_function(stack, "busy")
    readers = [threading.Thread(target=lambda: [stack.norn("status") for _ in range(3)]) for _ in range(4)]
    for reader in readers:
        reader.start()
    for _ in range(CALLS):
        stack.norn("invoke", "busy", "--body", "x", "--async")
    deploy_function(stack, "other")
    for reader in readers:
        reader.join()
    wait_until(lambda: _done(stack) == CALLS, 90, "all calls have ended well")


def _done(stack: Stack) -> int:
    return int(stack.rows("SELECT count(*) AS n FROM jobs WHERE kind = 'invoke' AND state = 'succeeded'")[0]["n"])


def test_no_process_has_more_connections_than_the_setting_allows(postgres: Postgres, direct: Stack) -> None:
    with Count(postgres, direct.database_url) as count:
        worked(direct)
    assert {name: most for name, most in count.most.items() if name in MOST and most > MOST[name]} == {}
    assert set(MOST) <= set(count.most), count.most


def test_through_a_pooler_all_processes_together_have_its_connections_and_those_that_listen(
    postgres: Postgres, pooled: Stack
) -> None:
    with Count(postgres, pooled.database_url) as count:
        worked(pooled)
    assert 3 <= count.most[LISTEN] <= MOST[LISTEN], count.most
    assert 0 < count.most[NORN] <= POOLED, count.most


def test_through_a_pooler_an_edited_schedule_is_noticed_at_once(pooled: Stack) -> None:
    assert "polls once a second" not in pooled.log("beat")
