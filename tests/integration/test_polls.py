"""Which branches are polled, and when a status says that an update is available."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update

from norn_tasks import dispatch
from norn_tasks.domain.jobs.job import JobKind, JobState
from norn_tasks.domain.jobs.requests import PolledBranch, PollJobRequest
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import BranchSeen
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.status import apps
from norn_tasks.store.tables import DeploymentRow, ReleaseRow
from tests import factories

URL, REPOSITORY = "https://git.example/blog.git", "git.example/blog"
SPEC = f"repo: {{url: '{URL}'}}\n"
LIVE, NEWER = "1" * 40, "2" * 40


@pytest.fixture
def intake(database: Database) -> dispatch.Intake:
    """A live app of a repository."""
    factories.add_live(database, "blog", "worker", SPEC)
    with database.transaction() as tx:
        tx.execute(update(DeploymentRow).values(revision=LIVE))
        tx.execute(update(ReleaseRow).values(revision=LIVE))
    return factories.intake(database)


def polled(intake: dispatch.Intake) -> tuple[PolledBranch, ...] | None:
    accepted = dispatch.request_due_polls(intake, actor="beat")
    return None if accepted is None else factories.claim(intake.database).request_as(PollJobRequest).branches


def answer(intake: dispatch.Intake, revision: str | None, error: str = "") -> None:
    """Lets a worker poll the branch with this result."""
    assert dispatch.request_due_polls(intake, actor="beat") is not None
    job = factories.claim(intake.database)
    learned = Learned(writes=(BranchSeen(REPOSITORY, "main", revision, error),))
    end = StepEnd(StepState.SUCCEEDED, learned, ends=JobState.SUCCEEDED)
    Ledger(intake.database, patience=1).end_step(job.fence, StepPosition(1, "ask-repositories"), end)


def later(database: Database) -> None:
    """Makes the last poll an hour old."""
    with database.transaction() as tx:
        tx.execute(text("UPDATE branches SET asked_at = asked_at - interval '1 hour'"))


def seen(intake: dispatch.Intake) -> apps.AppView:
    with intake.database.transaction() as tx:
        return apps.one(tx, None, "blog")


def test_the_branch_of_a_live_app_is_polled_by_one_job(intake: dispatch.Intake) -> None:
    assert polled(intake) == (PolledBranch(REPOSITORY, URL, "main"),)
    assert polled(intake) is None


def test_it_is_polled_again_only_after_the_interval(intake: dispatch.Intake) -> None:
    answer(intake, LIVE)
    assert polled(intake) is None
    later(intake.database)
    assert polled(intake) is not None


def test_a_repository_with_a_webhook_is_not_polled(intake: dispatch.Intake) -> None:
    with intake.database.transaction() as tx:
        tx.execute(
            text("INSERT INTO webhooks (repository, url, sealed, created_by) VALUES (:name, :url, 'x', 'ann')"),
            {"name": REPOSITORY, "url": URL},
        )
    assert polled(intake) is None


def test_zero_seconds_means_no_polls(intake: dispatch.Intake) -> None:
    assert polled(factories.intake(intake.database, poll_seconds=0)) is None


def test_another_commit_is_an_update_and_the_live_one_is_none(intake: dispatch.Intake) -> None:
    answer(intake, NEWER)
    assert seen(intake).update == NEWER
    later(intake.database)
    answer(intake, LIVE)
    assert seen(intake).update is None


def test_a_commit_that_was_seen_before_the_live_release_was_deployed_says_nothing(intake: dispatch.Intake) -> None:
    answer(intake, NEWER)
    with intake.database.transaction() as tx:
        tx.execute(text("UPDATE deployments SET created_at = clock_timestamp()"))
    assert seen(intake).update is None


def test_a_failed_poll_keeps_the_commit_and_says_why(intake: dispatch.Intake) -> None:
    answer(intake, NEWER)
    later(intake.database)
    answer(intake, None, "git.example does not answer")
    view = seen(intake)
    assert view.newest is not None
    assert (view.update, view.newest.error) == (NEWER, "git.example does not answer")


def test_the_job_is_of_no_app(intake: dispatch.Intake) -> None:
    dispatch.request_due_polls(intake, actor="beat")
    job = factories.claim(intake.database)
    assert (job.app, job.kind) == ("", JobKind.POLL)
