"""The single automatic rollback after a failed rollout: it is accepted together with the failure, never repeats, and
never undoes a later change.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from norn_tasks import dispatch
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobKind, JobState, Problem
from norn_tasks.domain.jobs.requests import Override, RollbackJobRequest
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.tables import AppRow, DeploymentRow, JobRow
from tests import factories

BROKEN = Problem("rollout_failed", "the new container exited 1")


def _web(database: Database) -> dispatch.Intake:
    """An app whose releases 1 and 2 were live, 2 last."""
    wanted = factories.add_live(database, "web", "webserver")
    with database.transaction() as tx:
        factories.add_release(tx, wanted, 2)
    return factories.intake(database)


def _fail_next(database: Database) -> Job:
    job = factories.claim(database)
    Ledger(database, patience=1).finish(job.fence, JobState.FAILED, BROKEN, returns=True)
    return job


def _deployments(database: Database) -> list[Any]:
    with database.transaction() as tx:
        return list(tx.execute(select(DeploymentRow).order_by(DeploymentRow.id)))


def test_a_failed_rollout_is_followed_by_a_return_to_the_live_release(database: Database) -> None:
    dispatch.request_rollback(_web(database), "web", release=1, actor="ann")
    failed = _fail_next(database)
    _, _, rollback, back = _deployments(database)
    assert (rollback.state, rollback.error["sentence"]) == ("failed", BROKEN.sentence)
    assert (back.kind, back.release, back.actor, rollback.returned_to) == ("return", 2, "norn", back.id)
    job = factories.claim(database)
    assert (job.deployment, job.request_as(RollbackJobRequest).generation, job.id != failed.id) == (back.id, 2, True)


def test_a_return_that_fails_is_not_returned_from(database: Database) -> None:
    dispatch.request_rollback(_web(database), "web", release=1, actor="ann")
    _fail_next(database)
    _fail_next(database)
    assert take(database, factories.claimer()) is None


def test_a_return_gives_way_to_a_release_that_went_live_meanwhile(database: Database) -> None:
    dispatch.request_rollback(_web(database), "web", release=1, actor="ann")
    _fail_next(database)
    with database.transaction() as tx:
        tx.execute(update(AppRow).values(live_deployment=1))
    assert take(database, factories.claimer()) is None
    with database.transaction() as tx:
        assert tx.scalars(select(JobRow.state).order_by(JobRow.id)).all() == ["failed", "superseded"]


def test_nothing_is_returned_to_before_the_first_release(database: Database) -> None:
    dispatch.request_rollback(_web(database), "web", release=1, actor="ann")
    with database.transaction() as tx:
        tx.execute(update(AppRow).values(live_deployment=None))
    _fail_next(database)
    assert take(database, factories.claimer()) is None


@pytest.mark.parametrize(("verb", "returns"), [("restart", True), ("scale", False)])
def test_a_failed_restart_returns_and_a_failed_scale_does_not(database: Database, verb: str, returns: bool) -> None:
    intake = _web(database)
    if verb == "restart":
        dispatch.request_restart(intake, "web", actor="ann")
    else:
        dispatch.request_scale(intake, "web", replicas=3, actor="ann")
    _fail_next(database)
    assert (take(database, factories.claimer()) is not None) is returns


@pytest.mark.parametrize("before", [True, False])
def test_a_return_keeps_to_what_the_app_was_scaled_to_meanwhile(database: Database, before: bool) -> None:
    """After the failing restart was accepted, a scale sets an override, or (`before`) resets an earlier one; the
    rollback takes the result.
    """
    intake = _web(database)
    if before:
        dispatch.request_scale(intake, "web", replicas=0, actor="ann")
        Ledger(database, patience=1).finish(factories.claim(database).fence, JobState.SUCCEEDED)
    dispatch.request_restart(intake, "web", actor="ann")
    failing = factories.claim(database)
    dispatch.request_scale(intake, "web", replicas=None if before else 0, actor="ann")
    Ledger(database, patience=1).finish(failing.fence, JobState.FAILED, BROKEN, returns=True)
    scale = factories.claim(database)
    Ledger(database, patience=1).finish(scale.fence, JobState.SUCCEEDED)
    back = factories.claim(database)
    wanted = None if before else Override(0, spec=1)
    assert (scale.kind, back.request_as(RollbackJobRequest).override) == (JobKind.SCALE, wanted)
