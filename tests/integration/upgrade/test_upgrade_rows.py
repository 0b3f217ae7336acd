"""A migration loses no row, and a stored spec means the same after it, also where it relies on defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from norn_tasks.domain.infraspec import from_json
from norn_tasks.store.database.session import Database
from tests.servers import Postgres
from tests.upgrade import database as dump


def _opened(postgres: Postgres, name: str, make: Callable[[Postgres, str], str]) -> Iterator[Database]:
    name = f"{name}_{os.getpid()}"
    database = Database(make(postgres, name), pool=1)
    yield database
    database.dispose()
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def before(postgres: Postgres) -> Iterator[Database]:
    """The database as the old version left it."""
    yield from _opened(postgres, "rows_before", dump.load)


@pytest.fixture(scope="module")
def after(postgres: Postgres) -> Iterator[Database]:
    """The same database, migrated."""
    yield from _opened(postgres, "rows_after", dump.upgraded)


def rows(database: Database, query: str) -> list[Any]:
    """Returns the rows of a query."""
    with database.transaction() as tx:
        return list(tx.execute(text(query)))


def counts(database: Database) -> dict[str, int]:
    """Returns how many rows each table has."""
    tables = rows(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return {row.tablename: rows(database, f"SELECT count(*) FROM {row.tablename}")[0][0] for row in tables}


def test_no_table_loses_a_row(before: Database, after: Database) -> None:
    had, has = counts(before), counts(after)
    assert {table: has.get(table) for table in had} == had


def test_every_table_of_the_old_version_has_rows(before: Database) -> None:
    assert [table for table, count in counts(before).items() if count == 0] == []


@pytest.mark.parametrize(
    ("table", "key", "column"),
    [("apps", "name", "spec"), ("app_specs", "app, version", "written"), ("releases", "app, n", "spec"),
     ("jobs", "id", "spec")],
)  # fmt: skip
def test_a_stored_spec_means_the_same(before: Database, after: Database, table: str, key: str, column: str) -> None:
    def meaning(database: Database, column: str) -> dict[tuple[Any, ...], object]:
        found = rows(database, f"SELECT {column} AS spec, {key} FROM {table} WHERE jsonb_typeof({column}) = 'object'")
        return {tuple(row[1:]): from_json(row.spec).model_dump() for row in found}

    assert meaning(after, column) == meaning(before, "spec")


def test_the_outcome_of_a_delivery_is_kept_under_its_new_name(before: Database, after: Database) -> None:
    had = [tuple(row) for row in rows(before, "SELECT id, told FROM deliveries ORDER BY id")]
    assert had
    assert [tuple(row) for row in rows(after, "SELECT id, outcome FROM deliveries ORDER BY id")] == had


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, kind, class, app, state, release, deployment, execution, actor, claims, runs, max_runs FROM jobs",
        "SELECT name, role, source, forge_state, live_deployment, live_generation, replicas_override FROM apps",
        "SELECT app, n, image, image_id, engine, published, key, revision, live_at, pruned_at FROM releases",
        "SELECT app, name, version, sealed, retired_at FROM secrets",
        "SELECT name, hash, scopes, apps, revoked_at FROM tokens",
        "SELECT app, schedule, timezone, override_schedule, anchor, decided_until, next_due FROM cron_states",
        "SELECT app, scheduled_for, verdict, until, how_many, execution FROM cron_ticks",
        "SELECT id, kind, app, key, raised_at, resolved_at FROM alerts",
    ],
    ids=lambda query: query.rpartition(" ")[2],
)
def test_rows_say_the_same_as_before(before: Database, after: Database, query: str) -> None:
    def said(database: Database) -> list[str]:
        return sorted(
            str([bytes(value) if isinstance(value, memoryview) else value for value in row])
            for row in rows(database, query)
        )

    assert said(after) == said(before)
