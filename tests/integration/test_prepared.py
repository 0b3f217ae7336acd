"""Prepared statements: planned once, used only on the connection that prepared them, and not used through a pooler."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import Database, Tx, retry_while_down
from norn_tasks.store.fleet import memory
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from tests import factories
from tests.pooler import Pooler
from tests.servers import Postgres

ADD = Prepared("SELECT CAST(:a AS int) + :b AS sum, :kind AS kind", fixed=("kind",))
_KNOWN = text("SELECT name, generic_plans + custom_plans AS plans FROM pg_prepared_statements WHERE name LIKE 'norn%'")


@pytest.fixture
def single(database: Database) -> Iterator[Database]:
    """A database with one connection."""
    single = Database(database.url, pool=1)
    yield single
    single.dispose()


def add(tx: Tx, a: int, b: int, kind: str = "it's 100%") -> int:
    row = run(tx, ADD, {"a": a, "b": b, "kind": kind}).one()
    assert row.kind == kind
    return int(row.sum)


def test_a_statement_is_prepared_once_for_each_of_its_fixed_values(single: Database) -> None:
    for n in range(3):
        with single.transaction() as tx:
            assert add(tx, n, 1) == n + 1
            assert add(tx, n, 2, kind="b:c") == n + 2
    with single.transaction() as tx:
        assert [row.plans for row in tx.execute(_KNOWN)] == [3, 3]


def test_a_new_connection_prepares_again(single: Database, postgres: Postgres) -> None:
    with single.transaction() as tx:
        add(tx, 1, 1)
    with postgres.away(single.url):
        pass
    assert retry_while_down(lambda: _added(single), 20) == 3


def _added(database: Database) -> int:
    with database.transaction() as tx:
        return add(tx, 1, 2)


def test_a_result_with_other_columns_costs_one_transaction(single: Database) -> None:
    """A migration may change a table while workers run."""
    every = Prepared("SELECT * FROM grown")
    with single.transaction() as tx:
        tx.execute(text("CREATE TABLE grown(a int)"))
        run(tx, every, {})
        tx.execute(text("ALTER TABLE grown ADD COLUMN b int"))
    with pytest.raises(DatabaseDown), single.transaction() as tx:
        run(tx, every, {})
    with single.transaction() as tx:
        assert list(run(tx, every, {}).keys()) == ["a", "b"]


def test_a_claim_outlives_a_column_that_a_migration_adds(single: Database) -> None:
    ledger = Ledger(single, patience=0)
    for n in range(2):
        with single.transaction() as tx:
            factories.add_job(tx, app=f"app-{n}")
        ledger.finish(factories.claim(single).fence, JobState.SUCCEEDED)
        with single.transaction() as tx:
            tx.execute(text("ALTER TABLE jobs ADD COLUMN IF NOT EXISTS news int"))


def test_a_claim_counts_the_memory_of_a_large_engine(database: Database) -> None:
    """PostgreSQL infers the types of parameters, and an integer holds less than 2 GiB."""
    factories.add_live(database, "thumb")
    with database.transaction() as tx:
        memory.speak(tx, factories.ENGINE, 2**42, 2**33)
        factories.add_deploy(tx, "web")
        runs.accept_call(tx, releases.require_live(tx, "thumb"), Call(), sync=False, actor="test", patience=60)
    assert factories.claim(database).app == "web"
    assert factories.claim(database, job_class=JobClass.INVOKE).app == "thumb"


def test_jobs_pass_a_pooler_in_transaction_mode(database: Database, postgres: Postgres, private_dir: Path) -> None:
    """Four connections of Norn share two connections to the server, and no statement is prepared by name."""
    pooler = Pooler(private_dir / f"pooler-{database.url.rpartition('/')[2]}", postgres, size=2)
    pooled = Database(pooler.url(database.url.rpartition("/")[2]), pool=4, pooled=True)
    try:
        for n in range(6):
            with pooled.transaction() as tx:
                factories.add_job(tx, app=f"app-{n}")
            Ledger(pooled, patience=0).finish(factories.claim(pooled).fence, JobState.SUCCEEDED)
        with pooled.transaction() as tx:
            assert tx.execute(_KNOWN).all() == []
    finally:
        pooled.dispose()
        pooler.stop()
