"""Missing replicas are requested by the next observation: once, not while another change of the app waits, and again
only after a pause.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select, text, update

from norn_tasks import dispatch
from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState, Problem
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import WorkloadSeen
from norn_tasks.store.apps import enrolment
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue import cancelling, jobs
from norn_tasks.store.replicas import observations
from norn_tasks.store.tables import AppRow, JobRow, WorkloadRow
from tests import factories
from tests.servers import wait_until

TWO = "replicas: 2\n"


@pytest.fixture
def web(database: Database) -> dispatch.Intake:
    """A webserver of two replicas, live."""
    factories.add_live(database, "web", "webserver", TWO)
    return factories.intake(database)


def begun_look(intake: dispatch.Intake) -> Job:
    dispatch.request_cluster_looks(intake, actor="beat")
    return factories.claim(intake.database, job_class=JobClass.OBSERVE)


def ended_look(
    intake: dispatch.Intake, look: Job, *present: int, engine: str = factories.ENGINE, others: int = 0
) -> list[JobClass]:
    """Ends an observation that saw this number of the app's replicas (without a number, it did not see the app);
    returns the classes of the workers that were woken.

    `others`: how many of them belong to rollout 9, and not to the live one.
    """
    woken: list[JobClass] = []
    seen = WorkloadSeen(
        factories.CLUSTER,
        tuple(WorkloadStatus("web", n, n, present=(1,) * (n - others) + (9,) * others) for n in present),
        True,
        engine,
    )
    end = StepEnd(StepState.SUCCEEDED, Learned(writes=(seen,)), ends=JobState.SUCCEEDED)
    ledger = Ledger(intake.database, patience=1, wake=woken.append)
    ledger.end_step(look.fence, StepPosition(1, "look-at-cluster"), end)
    return woken


def looked(intake: dispatch.Intake, *present: int) -> list[JobClass]:
    return ended_look(intake, begun_look(intake), *present)


def recorded(intake: dispatch.Intake, *generations: int) -> None:
    """Makes the rows of replicas of these rollouts."""
    made = text("""INSERT INTO replicas(container, app, release, generation, state, token)
                   VALUES (:container, 'web', 1, :generation, 'starting', 1)""")
    with intake.database.transaction() as tx:
        for n, generation in enumerate(generations):
            tx.execute(made, {"container": f"c{n}", "generation": generation})


def repairs(intake: dispatch.Intake) -> list[Any]:
    with intake.database.transaction() as tx:
        return list(tx.execute(select(JobRow).where(JobRow.kind == "repair").order_by(JobRow.id)).mappings())


def seen(intake: dispatch.Intake) -> tuple[int, int]:
    with intake.database.transaction() as tx:
        row = tx.execute(select(WorkloadRow).where(WorkloadRow.app == "web")).one()
        return row.wanted, row.ready


def test_a_replica_that_is_missing_is_asked_for_and_its_class_is_woken(web: dispatch.Intake) -> None:
    assert (looked(web, 1), seen(web)) == ([JobClass.DEPLOY], (2, 1))
    (job,) = repairs(web)
    assert (job["actor"], job["release"], job["args"]["generation"], job["args"]["missing"]) == ("norn", 1, 1, 1)


def test_an_app_of_which_nothing_is_left_is_asked_for(web: dispatch.Intake) -> None:
    looked(web)
    assert (len(repairs(web)), seen(web)) == (1, (2, 0))


def test_an_app_that_has_all_is_left_alone(web: dispatch.Intake) -> None:
    assert (looked(web, 2), repairs(web)) == ([], [])


def test_the_second_look_finds_the_repair_on_its_way(web: dispatch.Intake) -> None:
    looked(web, 1)
    looked(web, 1)
    assert len(repairs(web)) == 1


def test_a_look_at_another_engine_tells_nothing(web: dispatch.Intake) -> None:
    ended_look(web, begun_look(web), engine="engine-2")
    assert repairs(web) == []


@pytest.mark.parametrize("ended", [False, True])
def test_a_change_that_goes_on_or_ended_after_the_look_began_is_not_disturbed(
    web: dispatch.Intake, ended: bool
) -> None:
    look = begun_look(web)
    dispatch.request_restart(web, "web", actor="ann")
    job = factories.claim(web.database)
    if ended:
        Ledger(web.database, patience=1).finish(job.fence, JobState.SUCCEEDED)
    ended_look(web, look, 1)
    assert repairs(web) == []


def test_what_was_scaled_to_none_is_not_missing(web: dispatch.Intake) -> None:
    with web.database.transaction() as tx:
        tx.execute(update(AppRow).values(replicas_override=0, override_spec=2))
    looked(web)
    assert repairs(web) == []


def test_an_app_that_is_torn_down_is_not_repaired(web: dispatch.Intake) -> None:
    with web.database.transaction() as tx:
        tx.execute(update(AppRow).values(live_deployment=None))
    looked(web)
    assert repairs(web) == []


def failed_repairs(intake: dispatch.Intake, count: int) -> None:
    """Lets `count` repairs fail, each after a pause that is over."""
    for _ in range(count):
        job = factories.claim(intake.database)
        Ledger(intake.database, patience=1).finish(job.fence, JobState.FAILED, Problem("rollout_failed", "it exited 1"))
        an_hour_later(intake)
        looked(intake, 1)


def an_hour_later(intake: dispatch.Intake) -> None:
    with intake.database.transaction() as tx:
        tx.execute(update(JobRow).values(ended_at=text("ended_at - interval '1 hour'")))


def test_a_repair_that_failed_is_tried_again_after_a_pause(web: dispatch.Intake) -> None:
    looked(web, 1)
    failed_repairs(web, 1)
    assert len(repairs(web)) == 2
    job = factories.claim(web.database)
    Ledger(web.database, patience=1).finish(job.fence, JobState.FAILED, Problem("rollout_failed", "it exited 1"))
    looked(web, 1)
    assert len(repairs(web)) == 2


def test_a_rollback_does_not_wait_for_a_repair(web: dispatch.Intake) -> None:
    with web.database.transaction() as tx:
        factories.add_release(tx, factories.spec("web", "webserver", TWO), 2)
    looked(web, 1)
    dispatch.request_rollback(web, "web", release=1, actor="ann")
    assert (repairs(web)[0]["state"], factories.claim(web.database).kind) == ("superseded", JobKind.ROLLBACK)


def test_a_repair_that_fails_is_no_reason_to_return(web: dispatch.Intake) -> None:
    looked(web, 1)
    job = factories.claim(web.database)
    problem = Problem("rollout_failed", "it exited 1")
    Ledger(web.database, patience=1).finish(job.fence, JobState.FAILED, problem, returns=True)
    assert take(web.database, factories.claimer()) is None


# A rollout that was ended from outside


def test_replicas_of_a_rollout_that_was_ended_are_none_of_those_that_should_be_there(web: dispatch.Intake) -> None:
    recorded(web, 1, 9)
    ended_look(web, begun_look(web), 2, others=1)
    (job,) = repairs(web)
    assert (job["args"]["generation"], job["args"]["missing"]) == (1, 1)


def test_what_a_rollout_that_was_ended_left_beside_all_that_should_be_there_goes(web: dispatch.Intake) -> None:
    """The app has all its replicas, and a container that was being started when the rollout was ended. A repair must
    remove that container, its row and its reserved memory.
    """
    recorded(web, 1, 1, 9)
    looked(web, 2)
    assert [job["args"]["missing"] for job in repairs(web)] == [0]


def test_an_app_of_one_rollout_is_left_alone(web: dispatch.Intake) -> None:
    recorded(web, 1, 1)
    assert (looked(web, 2), repairs(web)) == ([], [])


@pytest.mark.parametrize("claimed", [False, True])
def test_a_rollout_under_way_is_not_disturbed(web: dispatch.Intake, claimed: bool) -> None:
    dispatch.request_restart(web, "web", actor="ann")
    if claimed:
        factories.claim(web.database)
    recorded(web, 1, 9)
    ended_look(web, begun_look(web), 2, others=1)
    assert repairs(web) == []


def test_a_rollout_that_ended_after_the_look_began_is_not_disturbed_whatever_was_asked_for_after_it(
    web: dispatch.Intake,
) -> None:
    """A later change was cancelled before it began, and before the observation began."""
    dispatch.request_restart(web, "web", actor="ann")
    rollout = factories.claim(web.database)
    later = dispatch.request_restart(web, "web", actor="ann").job
    with web.database.transaction() as tx:
        cancelling.cancel(tx, later, "ann")
    look = begun_look(web)
    Ledger(web.database, patience=1).finish(rollout.fence, JobState.SUCCEEDED)
    ended_look(web, look, 1)
    assert repairs(web) == []


def test_a_change_that_is_being_accepted_at_that_moment_goes_before_the_repair(web: dispatch.Intake) -> None:
    look = begun_look(web)
    with web.database.transaction() as tx:
        enrolment.locked(tx, "web")
        recording = threading.Thread(target=ended_look, args=(web, look, 1))
        recording.start()
        wait_until(lambda: waits_for_a_lock(web), 10, "the look waits for the app's row")
        factories.add_job(tx, JobKind.RESTART, "web")
    recording.join()
    with web.database.transaction() as tx:
        assert (jobs.get(tx, look.id)["state"], repairs(web)) == ("succeeded", [])


def waits_for_a_lock(intake: dispatch.Intake) -> bool:
    with intake.database.transaction() as tx:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(tx.scalar(text(waiting)))


def test_an_app_that_could_not_be_looked_at_keeps_its_status_and_is_not_repaired(web: dispatch.Intake) -> None:
    looked(web, 2)
    seen = WorkloadSeen("docker", (WorkloadStatus("web", 0, 0, unseen="its layer is damaged"),), True, factories.ENGINE)
    end = StepEnd(StepState.SUCCEEDED, Learned(writes=(seen,)), ends=JobState.SUCCEEDED)
    Ledger(web.database, patience=1).end_step(begun_look(web).fence, StepPosition(1, "look-at-cluster"), end)
    with web.database.transaction() as tx:
        kept = tx.execute(select(WorkloadRow.ready, WorkloadRow.message)).one()
    assert (kept, repairs(web)) == ((2, "it could not be observed: its layer is damaged"), [])


@pytest.mark.parametrize("stale", [(), (0,)])
def test_an_observation_that_began_before_a_deploy_ended_does_not_overwrite_its_status(
    web: dispatch.Intake, stale: tuple[int, ...]
) -> None:
    look = begun_look(web)
    with web.database.transaction() as tx:
        by_deploy = WorkloadSeen(factories.CLUSTER, (WorkloadStatus("web", 2, 2, present=(1, 1)),), complete=False)
        observations.workload_seen(tx, {}, by_deploy)
    ended_look(web, look, *stale)
    with web.database.transaction() as tx:
        assert tx.scalar(select(WorkloadRow.ready)) == 2
    looked(web, *stale)
    with web.database.transaction() as tx:
        assert tx.scalar(select(WorkloadRow.ready)) == 0
