"""The move of a live app from Docker to Kubernetes: which requests are accepted, what goes live, and where
requests go.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from norn_tasks import dispatch
from norn_tasks.domain.errors import Conflict, InvalidRequest
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.facts import LeftCluster
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.domain.jobs.placement import cluster_capability
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import AppMoved, ReleaseLive
from norn_tasks.pipelines import PIPELINES
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue.claims import Claimer
from norn_tasks.store.releases import releases
from norn_tasks.store.replicas import routes
from norn_tasks.store.tables import AppRow, JobRow, ReplicaRow
from tests import factories

FAR = "kubernetes"
REPLICA = {
    "container": "c1", "app": "web", "release": 1, "generation": 1, "state": "live", "address": "10.0.0.2:80",
    "token": 1,
}  # fmt: skip


@pytest.fixture
def intake(database: Database) -> dispatch.Intake:
    """A webserver `web` that is live on Docker, and a worker that reaches both clusters."""
    factories.add_live(database, "web", "webserver")
    with database.transaction() as tx:
        reached = ("docker", FAR)
        workers.say(tx, workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, factories.ENGINE, None, clusters=reached))
        routes.reserve_address(tx, "web", 18800, 18801)
        tx.execute(insert(ReplicaRow).values(REPLICA))
    return factories.intake(database)


def move(intake: dispatch.Intake, cluster: str = FAR, *, force: bool = False) -> int:
    """Requests the move."""
    return dispatch.request_forge(intake, "web", force=force, cluster=cluster, actor="ann").job


def claimer() -> Claimer:
    """Returns a worker that reaches both clusters."""
    one = factories.claimer()
    return replace(one, capabilities=one.capabilities | {cluster_capability(FAR)})


def begun(intake: dispatch.Intake) -> Job:
    """Lets a worker that reaches both clusters claim the next job."""
    job = take(intake.database, claimer())
    assert job is not None
    return job


def targets(database: Database) -> list[str]:
    """Returns the addresses to which the router sends the requests of the app."""
    with database.transaction() as tx:
        return [each.address for each in routes.live_routes(tx).routes[0].targets]


def moved(intake: dispatch.Intake) -> Job:
    """Moves the app, as the step does after the app is healthy in its new cluster."""
    move(intake)
    job = begun(intake)
    learned = Learned(facts=(LeftCluster("docker"),), writes=(AppMoved(FAR, "10.96.0.7:80"), ReleaseLive(job.id)))
    end = StepEnd(StepState.SUCCEEDED, learned, ends=JobState.SUCCEEDED)
    facts = Ledger(intake.database, patience=1).end_step(job.fence, StepPosition(6, "move-app"), end)
    assert facts.get(LeftCluster) == LeftCluster("docker")  # else the last step would remove the app where it is now
    return job


def cluster_of(database: Database) -> str | None:
    """Returns the cluster of the app."""
    with database.transaction() as tx:
        return tx.scalar(select(AppRow.cluster).where(AppRow.name == "web"))


def test_a_move_is_a_release_on_the_new_cluster_and_the_app_stays_until_it_is_healthy(
    intake: dispatch.Intake,
) -> None:
    move(intake)
    job = begun(intake)
    assert (job.cluster, job.release, cluster_of(intake.database)) == (FAR, 2, "docker")
    assert targets(intake.database) == ["10.0.0.2:80"]
    names = [step.name for step in PIPELINES[job.kind](job)]
    assert names[-3:] == ["rollout-image", "move-app", "leave-cluster"]


def test_all_requests_go_to_the_new_cluster_at_once(intake: dispatch.Intake) -> None:
    job = moved(intake)
    assert (cluster_of(intake.database), targets(intake.database)) == (FAR, ["10.96.0.7:80"])
    with intake.database.transaction() as tx:
        assert releases.require_live(tx, "web")["generation"] == job.id


def test_changes_that_wait_follow_the_app(intake: dispatch.Intake) -> None:
    move(intake)
    job = begun(intake)
    scaled = dispatch.request_scale(intake, "web", replicas=3, actor="ann").job
    end = StepEnd(
        StepState.SUCCEEDED,
        Learned(writes=(AppMoved(FAR, "10.96.0.7:80"), ReleaseLive(job.id))),
        ends=JobState.SUCCEEDED,
    )
    Ledger(intake.database, patience=1).end_step(job.fence, StepPosition(6, "move-app"), end)
    with intake.database.transaction() as tx:
        assert tx.scalar(select(JobRow.cluster).where(JobRow.id == scaled)) == FAR


def test_a_moved_app_is_led_to_another_entrance_and_others_are_not(intake: dispatch.Intake) -> None:
    with intake.database.transaction() as tx:
        assert routes.lead_to(tx, "web", "10.96.0.8:80") is None
    moved(intake)
    with intake.database.transaction() as tx:
        assert routes.lead_to(tx, "web", "10.96.0.8:80") == 18800
    assert targets(intake.database) == ["10.96.0.8:80"]


def test_a_second_move_finds_nothing_to_move(intake: dispatch.Intake) -> None:
    move(intake)
    second = move(intake)
    job = begun(intake)
    end = StepEnd(StepState.SUCCEEDED, Learned(writes=(AppMoved(FAR, None),)), ends=JobState.SUCCEEDED)
    Ledger(intake.database, patience=1).end_step(job.fence, StepPosition(6, "move-app"), end)
    assert take(intake.database, claimer()) is None
    with intake.database.transaction() as tx:
        error = tx.execute(select(JobRow.state, JobRow.error).where(JobRow.id == second)).one()
    assert (error.state, error.error["sentence"].partition(",")[0]) == ("error", "web is on kubernetes already")


def test_the_forge_of_an_app_where_it_is_moves_nothing(intake: dispatch.Intake) -> None:
    move(intake, "docker")
    job = begun(intake)
    assert (job.cluster, job.deployment) == ("docker", None)


@pytest.mark.parametrize("force", [True, False])
def test_a_move_back_or_by_force_is_refused(intake: dispatch.Intake, force: bool) -> None:
    if not force:
        with intake.database.transaction() as tx:
            tx.execute(update(AppRow).values(cluster=FAR))
    with pytest.raises(Conflict, match="a forge moves an app only from docker to kubernetes") as refused:
        move(intake, FAR if force else "docker", force=force)
    assert "norn teardown web" in refused.value.hint


def test_an_app_with_volumes_and_one_that_was_never_live_are_refused(database: Database) -> None:
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, factories.ENGINE, None, clusters=(FAR,)))
        factories.add_app(tx, factories.spec("web", "webserver"))
    with pytest.raises(Conflict, match="no successful release yet"):
        move(factories.intake(database))
    with database.transaction() as tx:
        factories.add_release(
            tx, factories.spec("web", "webserver", "volumes: [{name: data, mountPath: /data, size: 1g}]\n"), live=True
        )
    with pytest.raises(Conflict, match="volumes"):
        move(factories.intake(database))


def test_a_function_runs_in_no_cluster(database: Database) -> None:
    factories.add_live(database, "web", "function")
    with pytest.raises(InvalidRequest, match="cannot be forged on"):
        move(factories.intake(database))


def test_a_cluster_that_no_worker_reaches_is_refused(database: Database) -> None:
    factories.add_live(database, "web", "webserver")
    with pytest.raises(Conflict, match="no worker reaches the cluster kubernetes"):
        move(factories.intake(database))
