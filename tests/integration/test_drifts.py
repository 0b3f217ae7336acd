"""A job compares the running app with its live release; the differences (drift) are kept, and an alert is open until
they are gone.
"""

from __future__ import annotations

import pytest
from sqlalchemy import text

from norn_tasks import dispatch
from norn_tasks.domain.comparing.drift import Drift
from norn_tasks.domain.errors import NotDeployed, WrongRole
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import DriftSeen
from norn_tasks.store.alerts import app_rules
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.replicas import drifts
from tests import factories

FOUND = (Drift("Deployment web", "spec.replicas", "1", "5"), Drift("Service web", "spec.type", "ClusterIP", "NodePort"))


@pytest.fixture
def intake(database: Database) -> dispatch.Intake:
    """A webserver `web` whose release 1 is live."""
    factories.add_live(database, "web", "webserver")
    return factories.intake(database)


def compared(intake: dispatch.Intake, *found: Drift) -> None:
    """Lets a worker compare the app, and find these differences."""
    dispatch.request_comparison(intake, "web", actor="ann")
    job = factories.claim(intake.database, job_class=JobClass.OBSERVE)
    end = StepEnd(StepState.SUCCEEDED, Learned(writes=(DriftSeen("web", found),)), ends=JobState.SUCCEEDED)
    Ledger(intake.database, patience=1).end_step(job.fence, StepPosition(1, "compare-workload"), end)
    app_rules.look(intake.database)


def last(database: Database) -> tuple[Drift, ...] | None:
    with database.transaction() as tx:
        comparison = drifts.of(tx, "web")
    return None if comparison is None else comparison.found


def open_alerts(database: Database) -> list[str]:
    with database.transaction() as tx:
        return list(tx.scalars(text("SELECT sentence FROM alerts WHERE resolved_at IS NULL")))


def test_what_is_found_is_kept_and_is_an_alert_until_nothing_is_found(intake: dispatch.Intake) -> None:
    assert last(intake.database) is None
    compared(intake, *FOUND)
    assert last(intake.database) == FOUND
    first = "web is not as Norn made it: somebody changed spec.replicas of Deployment web and 1 more"
    assert open_alerts(intake.database) == [first]
    compared(intake)
    assert (last(intake.database), open_alerts(intake.database)) == ((), [])


def test_two_requests_at_once_are_one_job(intake: dispatch.Intake) -> None:
    first, second = (dispatch.request_comparison(intake, "web", actor="ann") for _ in range(2))
    assert first.job == second.job
    job = factories.claim(intake.database, job_class=JobClass.OBSERVE)
    assert (job.kind, job.release) == (JobKind.COMPARE, 1)


def test_an_old_release_is_compared_once_a_day(intake: dispatch.Intake) -> None:
    def due() -> tuple[str, ...]:
        with intake.database.transaction() as tx:
            return drifts.due(tx, 24, 5)

    assert due() == ()
    with intake.database.transaction() as tx:
        tx.execute(text("UPDATE releases SET live_at = live_at - interval '2 days'"))
    assert due() == ("web",)
    dispatch.request_due_comparisons(intake, actor="beat")
    compared(intake)
    assert due() == ()


def test_a_comparison_beside_a_change_of_the_app_is_not_kept(intake: dispatch.Intake) -> None:
    dispatch.request_comparison(intake, "web", actor="ann")
    dispatch.request_restart(intake, "web", actor="ann")
    factories.claim(intake.database)
    compared(intake, *FOUND)
    assert (last(intake.database), open_alerts(intake.database)) == (None, [])


def test_an_app_whose_comparison_fails_holds_back_no_other(intake: dispatch.Intake) -> None:
    factories.add_live(intake.database, "shop", "webserver")
    with intake.database.transaction() as tx:
        tx.execute(text("UPDATE releases SET live_at = live_at - interval '2 days'"))
        tx.execute(text("UPDATE apps SET forge_state = 'forged'"))
    dispatch.request_comparison(intake, "web", actor="beat")
    with intake.database.transaction() as tx:
        assert drifts.due(tx, 24, 1) == ("shop",)


def test_an_app_without_a_live_release_or_replicas_is_not_compared(intake: dispatch.Intake) -> None:
    factories.add_live(intake.database, "night", "cron")
    with pytest.raises(WrongRole):
        dispatch.request_comparison(intake, "night", actor="ann")
    with intake.database.transaction() as tx:
        tx.execute(text("UPDATE apps SET live_deployment = NULL WHERE name = 'web'"))
    with pytest.raises(NotDeployed):
        dispatch.request_comparison(intake, "web", actor="ann")
