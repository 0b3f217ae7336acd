"""The job of a push compares its commit with the commit of the live release."""

from __future__ import annotations

from sqlalchemy import select

from norn_tasks.domain.jobs.job import JobKind, JobState
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.tables import JobRow
from norn_tasks.store_adapters.deploys import RequestedDeploys
from tests import factories

REPOSITORY = "repo: {url: 'https://git.example/blog.git'}\n"


def add_push(database: Database) -> int:
    with database.transaction() as tx:
        return factories.add_job(tx, JobKind.PUSH, "blog")


def test_a_push_is_compared_with_the_live_release(database: Database) -> None:
    factories.add_live(database, "blog", "worker", REPOSITORY)
    add_push(database)
    live = factories.claim(database).live
    assert live is not None and live.revision == "dir-1"


def test_a_push_behind_a_waiting_deploy_of_an_earlier_push_replaces_that(database: Database) -> None:
    """The branch moved to another commit and back to the live one, but the live release is about to be replaced."""
    factories.add_live(database, "blog", "worker", REPOSITORY)
    deploys, ledger = RequestedDeploys(factories.intake(database)), Ledger(database, patience=5)
    earlier, later = add_push(database), add_push(database)
    first = factories.claim(database)
    replaced = deploys.deploy("blog", "2" * 40, earlier)
    ledger.finish(first.fence, JobState.SUCCEEDED)
    second = factories.claim(database)
    assert (first.id, second.id, second.live) == (earlier, later, None)
    wanted = deploys.deploy("blog", "1" * 40, later)
    with database.transaction() as tx:
        found = tx.execute(select(JobRow.id, JobRow.state).where(JobRow.id.in_([replaced, wanted])))
        states = {row.id: row.state for row in found}
    assert states == {replaced: "superseded", wanted: "queued"}
