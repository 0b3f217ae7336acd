"""The wanted number of replicas: the router, the status, repairs, jobs and their memory all use the same one."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update

from norn_tasks import dispatch
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.router.protocol.answers import not_served
from norn_tasks.steps.workload import replicas_of
from norn_tasks.store.apps import registry
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import memory
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.replicas import repairs, routes
from norn_tasks.store.status import apps
from norn_tasks.store.tables import AppRow
from tests import factories

MIB = 2**20
EACH = "resources: {memory: 100m}\n"


@pytest.fixture
def web(database: Database) -> dispatch.Intake:
    """A live webserver that wants one replica of 100 MiB and has none, and an engine with free memory."""
    factories.add_live(database, "web", "webserver", EACH)
    with database.transaction() as tx:
        memory.speak(tx, factories.ENGINE, 10_000 * MIB, 0)
        routes.reserve_address(tx, "web", 18800, 18810)
    return factories.intake(database)


def by_router(intake: dispatch.Intake) -> int:
    with intake.database.transaction() as tx:
        return routes.live_routes(tx).routes[0].wanted


def by_status(intake: dispatch.Intake) -> int | None:
    with intake.database.transaction() as tx:
        return apps.one(tx, None, "web").wanted


def by_repairs(intake: dispatch.Intake) -> int:
    with intake.database.transaction() as tx:
        return repairs.stable_apps(tx, factories.CLUSTER, factories.ENGINE)["web"].wanted


def by_a_job(intake: dispatch.Intake) -> tuple[int, float]:
    """Returns how many replicas a repair job rolls out, and for how many it reserves memory."""
    dispatch.request_reconcile(intake, "web", actor="ann")
    job = factories.claim(intake.database)
    assert job.spec is not None
    with intake.database.transaction() as tx:
        held = tx.scalar(text("SELECT bytes FROM memory_held WHERE job_id = :job"), {"job": job.id}) or 0
    Ledger(intake.database, patience=1).finish(job.fence, JobState.SUCCEEDED)
    return replicas_of(job, job.spec), held / (100 * MIB)


def wanted(intake: dispatch.Intake) -> set[int | float | None]:
    """Returns every number of replicas that a part of Norn reports for the app."""
    before_a_job = {by_router(intake), by_status(intake), by_repairs(intake)}
    return {*before_a_job, *by_a_job(intake)}


def deploys(intake: dispatch.Intake, replicas: int) -> None:
    """Accepts a deploy of a spec with this number of replicas, and lets it fail before it begins."""
    with intake.database.transaction() as tx:
        spec = factories.spec("web", "webserver", f"replicas: {replicas}\nrepo: {{url: 'https://git.example/web'}}\n")
        registry.apply(tx, None, spec, actor="ann")
    dispatch.request_deploy(intake, "web", actor="ann")
    job = take(intake.database, factories.claimer())
    assert job is not None
    Ledger(intake.database, patience=1).finish(job.fence, JobState.FAILED, Problem("build_failed", "it exited 1"))


def test_it_is_the_number_of_the_live_release(web: dispatch.Intake) -> None:
    assert wanted(web) == {1}


def test_a_deploy_that_failed_leaves_the_number_of_the_live_release(web: dispatch.Intake) -> None:
    deploys(web, replicas=5)
    assert wanted(web) == {1}


def test_the_router_says_it_of_an_app_whose_last_deploy_failed(web: dispatch.Intake) -> None:
    deploys(web, replicas=5)
    with web.database.transaction() as tx:
        assert not_served(routes.live_routes(tx).routes[0]) == "web: 0 of 1 replica is ready"


@pytest.mark.parametrize("override", [0, 3])
def test_a_scale_override_is_the_number_also_after_a_deploy_that_failed(web: dispatch.Intake, override: int) -> None:
    dispatch.request_scale(web, "web", replicas=override, actor="ann")
    Ledger(web.database, patience=1).finish(factories.claim(web.database).fence, JobState.SUCCEEDED)
    assert wanted(web) == {override}
    deploys(web, replicas=5)
    assert wanted(web) == {override}


def test_an_override_of_another_number_than_the_live_release_has_does_not_count(web: dispatch.Intake) -> None:
    with web.database.transaction() as tx:
        tx.execute(update(AppRow).values(replicas_override=7, override_spec=2))
    assert wanted(web) == {1}


def test_before_the_first_release_it_is_the_number_of_the_registered_spec(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec("web", "webserver", "replicas: 2\n"))
        routes.reserve_address(tx, "web", 18800, 18810)
    intake = factories.intake(database)
    assert (by_router(intake), by_status(intake)) == (2, 2)


def test_a_deploy_of_an_app_that_was_scaled_is_refused_when_no_engine_could_run_that_many(web: dispatch.Intake) -> None:
    dispatch.request_scale(web, "web", replicas=50, actor="ann")
    with web.database.transaction() as tx:
        tx.execute(text("UPDATE engines SET memory = 1000 * 1048576"))
    with pytest.raises(InvalidRequest, match="100m for each of 51 replicas"):
        dispatch.request_deploy(web, "web", actor="ann")
