"""An app whose directory is unusable: forge and deploy are refused with a hint; its running parts can still be
managed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from norn_tasks import dispatch
from norn_tasks.domain.errors import AppNotFound, Conflict, NornError, SpecInvalid
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.apps import registry
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.tables import AppRow, JobRow
from tests import factories
from tests.servers import Broker


def put(directory: Path, text: str) -> None:
    """Writes an infraspec into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "infraspec.yaml").write_text(text)


def _broken(_: Database, apps_dir: Path) -> None:
    put(apps_dir / "web", "app: web\nrole: nonsense\n")


def _twice(_: Database, apps_dir: Path) -> None:
    put(apps_dir / "other", "app: web\nrole: worker\n")


def _applied_too(database: Database, _: Path) -> None:
    with database.transaction() as tx:
        tx.execute(update(AppRow).values(source="applied"))


def _other_role(_: Database, apps_dir: Path) -> None:
    put(apps_dir / "web", "app: web\nrole: cron\nschedule: '@daily'\n")


Spoil = Callable[[Database, Path], None]
SPOILT: dict[str, tuple[Spoil, type[NornError], str]] = {
    "broken": (_broken, SpecInvalid, ""),
    "twice": (_twice, SpecInvalid, ""),
    "applied too": (_applied_too, Conflict, "norn destroy web"),
    "another role": (_other_role, Conflict, "norn teardown web, then norn forge web"),
}
STANDING: dict[str, Callable[[dispatch.Intake], dispatch.Accepted]] = {
    "teardown": lambda i: dispatch.request_teardown(i, "web", purge=False, actor="ann"),
    "rollback": lambda i: dispatch.request_rollback(i, "web", release=None, actor="ann"),
    "restart": lambda i: dispatch.request_restart(i, "web", actor="ann"),
    "scale": lambda i: dispatch.request_scale(i, "web", replicas=2, actor="ann"),
    "run": lambda i: dispatch.request_run(i, "web", command=("true",), timeout=None, actor="ann"),
    "exec": lambda i: dispatch.request_exec(i, "web", request=factories.EXEC, actor="ann"),
}
NEW: dict[str, Callable[[dispatch.Intake], dispatch.Accepted]] = {
    "forge": lambda i: dispatch.request_forge(i, "web", force=False, actor="ann"),
    "deploy": lambda i: dispatch.request_deploy(i, "web", actor="ann"),
}


@pytest.fixture
def intake(database: Database, broker: Broker, tmp_path: Path) -> dispatch.Intake:
    """A worker app `web` from a directory. Its releases 1 and 2 were live, 2 last."""
    put(tmp_path / "web", "app: web\nrole: worker\n")
    wanted = factories.add_live(database, "web", "worker")
    with database.transaction() as tx:
        factories.add_release(tx, wanted, 2)
        tx.execute(update(AppRow).values(source="directory", origin=str(tmp_path / "web")))
        workers.say(tx, workers.Presence("w1", JobClass.OBSERVE, "host", 1, 4, factories.ENGINE, None))
    return factories.intake(database, broker.url, apps_dir=tmp_path)


def _job(database: Database, accepted: dispatch.Accepted) -> Any:
    with database.transaction() as tx:
        return tx.execute(select(JobRow).where(JobRow.id == accepted.job)).one()


@pytest.mark.parametrize("verb", STANDING)
@pytest.mark.parametrize("how", SPOILT)
def test_what_stands_obeys_whatever_became_of_the_directory(
    intake: dispatch.Intake, tmp_path: Path, how: str, verb: str
) -> None:
    SPOILT[how][0](intake.database, tmp_path)
    assert _job(intake.database, STANDING[verb](intake)).kind == verb


@pytest.mark.parametrize("verb", NEW)
@pytest.mark.parametrize("how", SPOILT)
def test_nothing_new_is_made_of_such_a_directory(intake: dispatch.Intake, tmp_path: Path, how: str, verb: str) -> None:
    spoil, error, way_out = SPOILT[how]
    spoil(intake.database, tmp_path)
    with pytest.raises(error) as refused:
        NEW[verb](intake)
    assert way_out in refused.value.hint


def test_what_is_torn_down_is_what_was_forged(intake: dispatch.Intake, tmp_path: Path) -> None:
    _other_role(intake.database, tmp_path)
    assert _job(intake.database, STANDING["teardown"](intake)).spec["role"] == "worker"


def test_a_row_keeps_its_spec_while_the_directory_cannot_be_used(intake: dispatch.Intake, tmp_path: Path) -> None:
    _other_role(intake.database, tmp_path)
    STANDING["restart"](intake)
    with intake.database.transaction() as tx:
        row = tx.execute(select(AppRow)).one()
    assert (row.role, row.spec["role"]) == ("worker", "worker")


def test_each_infraspec_of_a_directory_is_an_app_of_that_directory(intake: dispatch.Intake, tmp_path: Path) -> None:
    (tmp_path / "web" / "infraspec.jobs.yaml").write_text("app: jobs\nrole: worker\n")
    with intake.database.transaction() as tx:
        found = [registry.find(tx, tmp_path, name) for name in ("web", "jobs")]
    assert [(app.name, app.origin) for app in found] == [(name, str(tmp_path / "web")) for name in ("web", "jobs")]


def test_two_infraspecs_of_one_app_in_a_directory_are_both_broken(intake: dispatch.Intake, tmp_path: Path) -> None:
    (tmp_path / "web" / "infraspec.jobs.yaml").write_text("app: web\nrole: worker\n")
    with intake.database.transaction() as tx, pytest.raises(SpecInvalid, match=r"also the name of web/infraspec"):
        registry.find(tx, tmp_path, "web")


def test_after_the_teardown_the_new_role_is_forged(intake: dispatch.Intake, tmp_path: Path) -> None:
    _other_role(intake.database, tmp_path)
    with intake.database.transaction() as tx:
        tx.execute(update(AppRow).values(forge_state="unforged", live_deployment=None))
    assert _job(intake.database, NEW["forge"](intake)).spec["role"] == "cron"


def test_after_the_applied_one_is_removed_the_directory_is_the_app(intake: dispatch.Intake, tmp_path: Path) -> None:
    _applied_too(intake.database, tmp_path)
    with intake.database.transaction() as tx:
        tx.execute(update(AppRow).values(forge_state="unforged", live_deployment=None))
        registry.remove(tx, tmp_path, "web", actor="ann")
    assert _job(intake.database, NEW["forge"](intake)).kind == "forge"


def test_a_run_by_hand_needs_no_directory(intake: dispatch.Intake, tmp_path: Path) -> None:
    factories.add_live(intake.database, "report", "cron")
    with intake.database.transaction() as tx:
        tx.execute(update(AppRow).where(AppRow.name == "report").values(source="directory"))
    put(tmp_path / "report", "app: report\nrole: nonsense\n")
    accepted = dispatch.request_cron_run(intake, "report", force=False, actor="ann")
    assert _job(intake.database, accepted).kind == "cron-run"


def test_a_broken_directory_that_was_never_forged_has_nothing_that_stands(
    intake: dispatch.Intake, tmp_path: Path
) -> None:
    put(tmp_path / "new", "app: new\nrole: nonsense\n")
    with pytest.raises(SpecInvalid):
        dispatch.request_teardown(intake, "new", purge=False, actor="ann")


def test_a_name_that_nobody_has_is_still_not_found(intake: dispatch.Intake) -> None:
    with pytest.raises(AppNotFound):
        dispatch.request_teardown(intake, "nobody", purge=False, actor="ann")
