"""An internal name belongs to one app: it is refused to any other app, however that app requests it, and also if two
apps request it at the same time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, update

from norn_tasks import dispatch
from norn_tasks.domain.errors import HostTaken
from norn_tasks.domain.infraspec import Infraspec, from_json
from norn_tasks.domain.jobs.deployment import DeploymentKind
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import SpecLearned
from norn_tasks.store.apps import registry
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue.jobs import NewJob
from norn_tasks.store.releases.deploying import accept_deployment
from norn_tasks.store.tables import AppRow, JobRow
from tests import factories

SAYS = "app: {}\nrole: webserver\nport: 8080\nhosts:\n  internal: {}\n"


def web(app: str, internal: str | None = None) -> Infraspec:
    return factories.spec(app, "webserver", f"hosts:\n  internal: {internal}\n" if internal else "")


def apply(database: Database, spec: Infraspec, apps_dir: Path | None = None) -> None:
    with database.transaction() as tx:
        registry.apply(tx, apps_dir, spec, actor="ada")


def put(apps_dir: Path, app: str, internal: str) -> None:
    (apps_dir / app).mkdir()
    (apps_dir / app / "infraspec.yaml").write_text(SAYS.format(app, internal))
    (apps_dir / app / "Dockerfile").write_text("FROM scratch\n")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (web("blog"), web("evil", "blog")),
        (web("blog", "pages"), web("evil", "pages")),
        (web("evil", "blog"), web("blog")),
    ],
)
def test_another_apps_name_is_not_applied(database: Database, first: Infraspec, second: Infraspec) -> None:
    apply(database, first)
    with pytest.raises(HostTaken, match="is the internal name of another app") as refused:
        apply(database, second)
    assert refused.value.owner == first.app
    with database.transaction() as tx:
        assert tx.scalars(select(AppRow.name)).all() == [first.app]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (web("blog", "pages"), web("evil", "blog")),
        (factories.spec("blog", "worker"), web("evil", "blog")),
        (web("blog", "pages"), web("blog", "posts")),
        (web("blog"), web("blog", "blog")),
    ],
)
def test_a_name_that_nobody_is_reached_by_is_free(database: Database, first: Infraspec, second: Infraspec) -> None:
    apply(database, first)
    apply(database, second)


def test_a_name_is_held_while_it_is_live(database: Database) -> None:
    live = factories.add_live(database, "blog", "webserver", "hosts:\n  internal: pages\n")
    apply(database, web("blog"))
    with pytest.raises(HostTaken):
        apply(database, web("evil", live.internal_host))
    with database.transaction() as tx:
        tx.execute(update(AppRow).values(live_deployment=None))
    apply(database, web("evil", live.internal_host))


def test_the_name_of_a_directory_is_not_applied(database: Database, tmp_path: Path) -> None:
    put(tmp_path, "blog", "pages")
    with pytest.raises(HostTaken):
        apply(database, web("evil", "pages"), tmp_path)


def test_a_directory_does_not_take_a_name(database: Database, tmp_path: Path) -> None:
    apply(database, web("blog"))
    put(tmp_path, "evil", "blog")
    intake = factories.intake(database, apps_dir=tmp_path)
    with pytest.raises(HostTaken):
        dispatch.request_forge(intake, "evil", force=False, actor="ada")
    (tmp_path / "evil" / "infraspec.yaml").write_text("app: evil\nrole: webserver\nport: 8080\n")
    dispatch.request_forge(intake, "evil", force=False, actor="ada")
    (tmp_path / "evil" / "infraspec.yaml").write_text(SAYS.format("evil", "blog"))
    with pytest.raises(HostTaken):
        dispatch.request_deploy(intake, "evil", actor="ada")
    dispatch.request_teardown(intake, "evil", purge=False, actor="ada")


def test_a_rollback_does_not_take_a_name_back(database: Database) -> None:
    factories.add_live(database, "blog", "webserver", "hosts:\n  internal: pages\n")
    with database.transaction() as tx:
        factories.add_release(tx, web("blog"), 2)
        tx.execute(update(AppRow).values(spec=web("blog").frozen()))
    apply(database, web("evil", "pages"))
    with pytest.raises(HostTaken):
        dispatch.request_rollback(factories.intake(database), "blog", release=1, actor="ada")


def test_of_many_at_once_one_gets_the_name(database: Database) -> None:
    def asked(n: int) -> bool:
        try:
            apply(database, web(f"app{n}", "db"))
        except HostTaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(asked, range(8))) == 1


def test_two_directories_at_once_do_not_get_one_name(database: Database, tmp_path: Path) -> None:
    names = ["one", "two", "three", "four"]
    for name in names:
        put(tmp_path, name, name)
    intake = factories.intake(database, apps_dir=tmp_path)
    for name in names:
        dispatch.request_forge(intake, name, force=False, actor="ada")
        (tmp_path / name / "infraspec.yaml").write_text(SAYS.format(name, "db"))

    def asked(name: str) -> bool:
        try:
            dispatch.request_deploy(intake, name, actor="ada")
        except HostTaken:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(asked, names)) == 1


def test_a_revision_that_says_another_apps_name_is_not_recorded(database: Database) -> None:
    apply(database, web("blog"))
    mine = web("evil")
    apply(database, mine)
    with database.transaction() as tx:
        new = NewJob(factories.DEPLOY, "evil", "ada", patience=60, spec=mine.frozen())
        accept_deployment(tx, new, DeploymentKind.DEPLOY)
    job = factories.claim(database)
    learned = Learned(writes=(SpecLearned(web("evil", "blog").frozen(), "3f2a"),))
    with pytest.raises(HostTaken):
        Ledger(database, patience=5).end_step(
            job.fence, StepPosition(1, "clone-source"), StepEnd(StepState.SUCCEEDED, learned)
        )
    with database.transaction() as tx:
        assert from_json(tx.scalars(select(JobRow.spec)).one()).internal_host == "evil"
