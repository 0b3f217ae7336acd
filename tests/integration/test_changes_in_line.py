"""A scale or restart that is requested while a new release is rolled out waits, and then changes the release that is
live.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from norn_tasks import dispatch
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import ReleaseLive
from norn_tasks.steps.workload import frozen_image, generation_of, replicas_of
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue import jobs_read
from norn_tasks.store.tables import AppRow, ReleaseRow
from tests import factories


@pytest.fixture
def web(database: Database) -> dispatch.Intake:
    """A webserver whose release 1 with one replica is live, and whose release 2 with two replicas is being
    rolled out.
    """
    factories.add_live(database, "web", "webserver")
    with database.transaction() as tx:
        factories.add_release(tx, factories.spec("web", "webserver", "replicas: 2\n"), 2, live=False)
    intake = factories.intake(database)
    dispatch.request_rollback(intake, "web", release=2, actor="ann")
    return intake


def goes_live(intake: dispatch.Intake) -> Job:
    """Lets a worker claim the next change and make it live, as its rollout does; returns its job."""
    job = factories.claim(intake.database)
    learned = Learned(writes=(ReleaseLive(generation_of(job)),))
    end = StepEnd(StepState.SUCCEEDED, learned, ends=JobState.SUCCEEDED)
    Ledger(intake.database, patience=1).end_step(job.fence, StepPosition(1, "await-rollout"), end)
    return job


def wanted(job: Job) -> tuple[int | None, str, int, int]:
    """Returns the values that the job rolls out: release, image, generation, number of replicas."""
    assert job.spec is not None
    return job.release, frozen_image(job), generation_of(job), replicas_of(job, job.spec)


def app(intake: dispatch.Intake) -> Any:
    with intake.database.transaction() as tx:
        return tx.execute(select(AppRow)).one()


def test_a_restart_is_one_of_the_release_that_went_live_before_it(web: dispatch.Intake) -> None:
    dispatch.request_restart(web, "web", actor="ann")
    goes_live(web)
    restart = goes_live(web)
    assert wanted(restart) == (2, "sha256:2", restart.id, 2)


def test_a_scale_is_one_of_the_release_that_went_live_before_it_whatever_number_that_brought(
    web: dispatch.Intake,
) -> None:
    dispatch.request_scale(web, "web", replicas=5, actor="ann")
    dispatch.request_restart(web, "web", actor="ann")
    rollout, scale, restart = goes_live(web), goes_live(web), goes_live(web)
    assert wanted(scale) == (2, "sha256:2", rollout.id, 5)
    assert wanted(restart) == (2, "sha256:2", restart.id, 5)
    assert (app(web).replicas_override, app(web).override_spec) == (5, 2)


def test_a_scale_keeps_the_containers_that_a_restart_before_it_made(web: dispatch.Intake) -> None:
    dispatch.request_restart(web, "web", actor="ann")
    dispatch.request_scale(web, "web", replicas=3, actor="ann")
    goes_live(web)
    restart, scale = goes_live(web), goes_live(web)
    assert wanted(scale) == (2, "sha256:2", restart.id, 3)


def test_a_number_from_before_a_release_that_brings_another_ends_with_it_for_a_restart_too(
    web: dispatch.Intake,
) -> None:
    with web.database.transaction() as tx:
        tx.execute(update(AppRow).values(replicas_override=7, override_spec=1))
    dispatch.request_restart(web, "web", actor="ann")
    goes_live(web)
    assert (wanted(goes_live(web))[-1], app(web).replicas_override) == (2, None)


def test_after_a_release_that_failed_they_are_changes_of_the_one_before(web: dispatch.Intake) -> None:
    dispatch.request_scale(web, "web", replicas=5, actor="ann")
    failed = factories.claim(web.database)
    Ledger(web.database, patience=1).finish(failed.fence, JobState.FAILED, Problem("rollout_failed", "it exited 1"))
    assert wanted(goes_live(web)) == (1, "sha256:1", 1, 5)


def test_a_change_of_another_app_stays_as_it_is(web: dispatch.Intake) -> None:
    factories.add_live(web.database, "other", "webserver")
    with web.database.transaction() as tx:
        tx.execute(update(ReleaseRow).where(ReleaseRow.app == "other").values(image_id="sha256:9"))
    dispatch.request_restart(web, "other", actor="ann")
    goes_live(web)
    restart = goes_live(web)
    assert (restart.app, restart.release, frozen_image(restart)) == ("other", 1, "sha256:9")


def test_a_change_names_the_change_of_its_app_for_which_it_waits(web: dispatch.Intake) -> None:
    rollback = factories.claim(web.database)
    restart = dispatch.request_restart(web, "web", actor="ann").job
    with web.database.transaction() as tx:
        assert jobs_read.get(tx, restart).waits == f"waits for the rollback of the same app (job {rollback.id}) to end"
