"""Stored specs contain their defaults: a migration wrote the defaults into old rows, and these defaults are those of
the model.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from norn_tasks import dispatch
from norn_tasks.domain.errors import SpecInvalid
from norn_tasks.domain.infraspec import Alerts, decode, from_json, parse
from norn_tasks.store.apps import registry
from norn_tasks.store.database.session import Database
from norn_tasks.store.tables import AppRow, JobRow, ReleaseRow
from tests import factories

LATER = importlib.import_module("norn_tasks.store.migrations.versions.0025_health")
LATEST = importlib.import_module("norn_tasks.store.migrations.versions.0054_origins_of_functions")
MIGRATION = importlib.import_module("norn_tasks.store.migrations.versions.0023_frozen_specs")
VALID = sorted((Path(__file__).parents[1] / "corpus" / "specs" / "valid").iterdir())


def test_the_defaults_of_the_migration_are_those_of_the_model() -> None:
    """A new default in the model requires a migration that writes it into old rows."""
    smallest = parse("app: x\nrole: worker\n").frozen()
    function = {"function": {**MIGRATION.DEFAULTS["function"], **LATEST.DEFAULTS}}
    assert smallest == {"app": "x", "role": "worker", **MIGRATION.DEFAULTS, **LATER.DEFAULTS, **function}
    assert Alerts().model_dump(mode="json", by_alias=True) == MIGRATION.ALERTS


def test_no_field_has_a_default_in_a_place_that_the_migration_does_not_fill() -> None:
    """Fields of list entries and of optional sections have no default other than None."""
    whole = parse(
        "app: x\nrole: worker\nvolumes: [{name: a, mountPath: /a, size: 1g}]\nservices: {postgres: {database: a},"
        " kv: {namespace: a}, events: {topics: [a]}, storage: {bucket: abc}}\n"
    )
    assert from_json(whole.to_json()).frozen() == whole.frozen()
    assert {key: whole.frozen()[key] for key in ("volumes", "services")} == {
        key: whole.to_json()[key] for key in ("volumes", "services")
    }


def filled(database: Database, spec: dict[str, Any]) -> dict[str, Any]:
    """Returns a spec as the migrations change it."""
    with database.transaction() as tx:
        tx.execute(text(MIGRATION.FILLED.replace(":", r"\:")))
        later = LATER.filled("norn_filled(CAST(:spec AS jsonb))")
        made: dict[str, Any] = tx.scalar(text(f"SELECT {LATEST.filled(f'({later})')}"), {"spec": json.dumps(spec)})
        tx.execute(text("DROP FUNCTION norn_filled(jsonb)"))
    return made


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_the_migration_makes_of_an_old_row_what_is_frozen_now(database: Database, file: Path) -> None:
    spec = parse(decode(file.read_bytes()))
    old = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert filled(database, old) == spec.frozen()


def test_an_old_row_that_says_null_is_filled_like_one_that_says_nothing(database: Database) -> None:
    old = {"app": "x", "role": "worker", "port": None, "hosts": {"internal": None}, "alerts": None}
    assert filled(database, old) == from_json({"app": "x", "role": "worker"}).frozen()


def test_an_empty_section_of_alerts_keeps_its_old_meaning(database: Database) -> None:
    assert "alerts" not in filled(database, {"app": "x", "role": "cron", "alerts": {}})


def test_a_row_without_a_spec_stays_without_one(database: Database) -> None:
    assert filled(database, None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_a_frozen_spec_is_read_as_the_one_that_was_written(file: Path) -> None:
    spec = parse(decode(file.read_bytes()))
    assert from_json(spec.frozen()) == spec
    assert from_json(spec.frozen()).frozen() == spec.frozen()


def test_every_row_that_statements_read_has_the_defaults(database: Database) -> None:
    factories.add_live(database, "web", "worker")
    intake = factories.intake(database)
    dispatch.request_restart(intake, "web", actor="ann")
    dispatch.request_forge(intake, "web", force=False, actor="ann")
    with database.transaction() as tx:
        registry.apply(tx, None, factories.spec("web", "worker", "replicas: 2\n"), actor="ann")
        found = [spec for column in (AppRow.spec, ReleaseRow.spec, JobRow.spec) for spec in tx.scalars(select(column))]
    assert [spec == from_json(spec).frozen() for spec in found] == [True] * 4


def test_people_see_what_was_written(database: Database) -> None:
    spec = factories.spec("web", "worker", "replicas: 1\n")
    with database.transaction() as tx:
        registry.apply(tx, None, spec, actor="ann")
        found = registry.find(tx, None, "web")
    assert found.spec.to_json() == {"app": "web", "role": "worker", "replicas": 1}


def test_what_a_run_alone_changes_is_checked_with_the_defaults_in_place(database: Database) -> None:
    factories.add_live(database, "report", "cron")
    intake = factories.intake(database)
    with pytest.raises(SpecInvalid):
        dispatch.request_cron_run(intake, "report", force=False, actor="ann", command=())
    accepted = dispatch.request_cron_run(intake, "report", force=False, actor="ann", env={"A": "1"})
    with database.transaction() as tx:
        spec = tx.scalar(select(JobRow.spec).where(JobRow.id == accepted.job))
    assert spec is not None
    assert (spec["env"], spec == from_json(spec).frozen()) == ({"A": "1"}, True)
