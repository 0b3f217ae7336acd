"""The cluster of an app is chosen at its first forge and stored in its jobs, and each cluster is observed
separately.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from norn_tasks import dispatch
from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.domain.jobs.requests import ReadLogsJobRequest
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import WorkloadSeen
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.status import apps
from norn_tasks.store.tables import AppRow, JobRow, WorkloadRow
from tests import factories
from tests.servers import Broker

LOCAL, FAR = "docker", "far"


@pytest.fixture
def intake(database: Database) -> dispatch.Intake:
    return factories.intake(database)


def add(database: Database, app: str = "web", role: str = "webserver") -> None:
    """Adds an app that was never forged."""
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec(app, role), forged=False)


def forge(intake: dispatch.Intake, app: str = "web") -> int:
    return dispatch.request_forge(intake, app, force=False, actor="ann").job


def cluster_of(database: Database, app: str = "web") -> str | None:
    with database.transaction() as tx:
        return apps.one(tx, None, app).cluster


def frozen(database: Database) -> list[tuple[str, str | None]]:
    """Lists each job with the cluster that is stored in it."""
    with database.transaction() as tx:
        return [(row.kind, row.cluster) for row in tx.execute(select(JobRow.kind, JobRow.cluster).order_by(JobRow.id))]


# The cluster of an app


@pytest.mark.parametrize("role", ["webserver", "worker"])
def test_the_first_forge_writes_the_cluster_into_the_app_and_its_job(intake: dispatch.Intake, role: str) -> None:
    add(intake.database, role=role)
    assert cluster_of(intake.database) is None
    forge(intake)
    assert (cluster_of(intake.database), frozen(intake.database)) == (LOCAL, [("forge", LOCAL)])


@pytest.mark.parametrize("role", ["cron", "function"])
def test_an_app_whose_containers_run_and_end_lives_in_no_cluster(intake: dispatch.Intake, role: str) -> None:
    add(intake.database, role=role)
    forge(intake)
    assert (cluster_of(intake.database), frozen(intake.database)) == (None, [("forge", None)])


def test_an_app_that_was_torn_down_chooses_again_at_its_next_forge(intake: dispatch.Intake) -> None:
    add(intake.database)
    with intake.database.transaction() as tx:
        tx.execute(update(AppRow).values(cluster=FAR, forge_state="unforged"))
    forge(intake)
    assert cluster_of(intake.database) == LOCAL


@pytest.mark.parametrize("state", ["forged", "forge_failed", "forging", "tearing_down"])
def test_an_app_that_has_something_in_its_cluster_stays_there(intake: dispatch.Intake, state: str) -> None:
    add(intake.database)
    with intake.database.transaction() as tx:
        tx.execute(update(AppRow).values(cluster=FAR, forge_state=state))
    forge(intake)
    assert (cluster_of(intake.database), frozen(intake.database)) == (FAR, [("forge", FAR)])


def test_a_cluster_that_no_worker_has_is_refused_with_its_name(database: Database) -> None:
    add(database)
    with pytest.raises(Conflict) as refused:
        forge(factories.intake(database, cluster=FAR))
    assert refused.value.sentence == "no worker has the cluster far, which NORN_CLUSTER names"
    assert "NORN_CLUSTER" in refused.value.hint
    assert (cluster_of(database), frozen(database)) == (None, [])


def test_an_app_for_incus_is_refused_where_no_worker_has_one(database: Database) -> None:
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec("blog", "cron", "runtime: incus\n"), forged=False)
    with pytest.raises(Conflict, match="no worker of this server has an Incus") as refused:
        forge(factories.intake(database), "blog")
    assert "NORN_INCUS_SOCKET" in refused.value.hint
    forge(factories.intake(database, incus_socket="/run/incus.socket"), "blog")


def test_an_app_for_incus_with_services_needs_servers_that_it_reaches(database: Database) -> None:
    with database.transaction() as tx:
        spec = factories.spec("blog", "cron", "runtime: incus\nservices: {kv: {namespace: blog}}\n")
        factories.add_app(tx, spec, forged=False)
    with pytest.raises(Conflict, match="runs in Incus do not reach the servers of norn up") as refused:
        forge(factories.intake(database, incus_socket="/run/incus.socket"), "blog")
    assert refused.value.hint == "write runtime: docker, or set NORN_SERVICES_KV_URL to a server of your own"
    own = {"services_kv_url": "redis://a:b@kv:6379"}
    forge(factories.intake(database, incus_socket="/run/incus.socket", **own), "blog")


def test_a_cluster_that_a_worker_has_is_chosen_by_its_name(database: Database) -> None:
    add(database)
    with database.transaction() as tx:
        workers.say(
            tx, workers.Presence("w1", JobClass.DEPLOY, "host", 1, 2, factories.ENGINE, None, clusters=(LOCAL, FAR))
        )
    forge(factories.intake(database, cluster=FAR))
    assert (cluster_of(database), frozen(database)) == (FAR, [("forge", FAR)])


def test_a_forge_that_waits_has_chosen_already(intake: dispatch.Intake) -> None:
    add(intake.database)
    forge(intake)
    with intake.database.transaction() as tx:
        tx.execute(update(AppRow).values(cluster=FAR))
    forge(intake)
    assert cluster_of(intake.database) == FAR


def test_each_change_of_an_app_goes_to_its_cluster(intake: dispatch.Intake) -> None:
    live_elsewhere(intake.database, "web")
    with intake.database.transaction() as tx:
        factories.add_release(tx, factories.spec("web", "webserver"), 2)
    dispatch.request_restart(intake, "web", actor="ann")
    dispatch.request_scale(intake, "web", replicas=3, actor="ann")
    dispatch.request_rollback(intake, "web", release=1, actor="ann")
    dispatch.request_reconcile(intake, "web", actor="ann")
    dispatch.request_teardown(intake, "web", purge=False, actor="ann")
    assert {cluster for _, cluster in frozen(intake.database)} == {FAR}


def test_readers_of_an_app_go_to_its_cluster(database: Database, broker: Broker) -> None:
    live_elsewhere(database, "web")
    intake = factories.intake(database, broker.url)
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.OBSERVE, "host", 1, 4, factories.ENGINE, None))
    dispatch.request_logs(intake, "web", ReadLogsJobRequest(1, False), actor="ann")
    dispatch.request_exec(intake, "web", request=factories.EXEC, actor="ann")
    assert frozen(database) == [("read-logs", FAR), ("exec", FAR)]


def test_a_reader_of_logs_is_there_and_gets_no_lines_of_an_earlier_app(database: Database, broker: Broker) -> None:
    live_elsewhere(database, "web")
    intake = factories.intake(database, broker.url)
    with database.transaction() as tx:
        workers.say(tx, workers.Presence("w1", JobClass.OBSERVE, "host", 1, 4, factories.ENGINE, None))
    reading = dispatch.request_logs(intake, "web", ReadLogsJobRequest(1, False), actor="ann").job
    with database.transaction() as tx:
        registered = tx.scalars(select(AppRow.created_at)).one()
        args = tx.scalars(select(JobRow.args).where(JobRow.id == reading)).one()
    assert (args["oldest"], intake.live.watched(reading)) == (int(registered.timestamp()) * 10**9, True)


# An observation of one cluster does not affect apps of another


def live_elsewhere(database: Database, app: str) -> None:
    """Makes a webserver with a live release that lives in another cluster."""
    factories.add_live(database, app, "webserver")
    with database.transaction() as tx:
        tx.execute(update(AppRow).where(AppRow.name == app).values(cluster=FAR))


@pytest.fixture
def both(intake: dispatch.Intake) -> dispatch.Intake:
    """A webserver in either cluster, both with a status from an observation."""
    factories.add_live(intake.database, "near", "webserver")
    live_elsewhere(intake.database, "away")
    with intake.database.transaction() as tx:
        for app in ("near", "away"):
            tx.execute(insert(WorkloadRow).values(app=app, wanted=1, ready=1, replicas=[]))
    return intake


def look_at(intake: dispatch.Intake, cluster: str, *seen: str) -> None:
    """Ends a complete observation of a cluster that saw one ready replica of each of these apps."""
    dispatch.request_cluster_looks(intake, actor="beat")
    statuses = tuple(WorkloadStatus(app, 1, 1, present=(1,)) for app in seen)
    found = WorkloadSeen(cluster, statuses, complete=True, engine=factories.ENGINE)
    end = StepEnd(StepState.SUCCEEDED, Learned(writes=(found,)), ends=JobState.SUCCEEDED)
    look = factories.claim(intake.database, job_class=JobClass.OBSERVE)
    Ledger(intake.database, patience=1).end_step(look.fence, StepPosition(1, "look-at-cluster"), end)


def statuses(intake: dispatch.Intake) -> dict[str, tuple[int, int]]:
    with intake.database.transaction() as tx:
        return {row.app: (row.wanted, row.ready) for row in tx.execute(select(WorkloadRow))}


def repaired(intake: dispatch.Intake) -> list[Any]:
    with intake.database.transaction() as tx:
        return [tuple(row) for row in tx.execute(text("SELECT app, cluster FROM jobs WHERE kind = 'repair'"))]


def test_each_cluster_with_an_app_is_looked_at(both: dispatch.Intake) -> None:
    for _ in range(2):
        dispatch.request_cluster_looks(both, actor="beat")
    assert frozen(both.database) == [("observe", LOCAL), ("observe", FAR)]


def test_a_fresh_look_goes_to_the_cluster_of_the_app(both: dispatch.Intake) -> None:
    dispatch.request_fresh_look(both, "away", actor="ann")
    assert frozen(both.database) == [("observe", FAR)]


def test_a_look_leaves_the_statuses_of_another_clusters_apps_alone(both: dispatch.Intake) -> None:
    look_at(both, LOCAL, "near")
    assert statuses(both) == {"near": (1, 1), "away": (1, 1)}


def test_a_look_that_sees_nothing_repairs_the_apps_of_its_cluster_alone(both: dispatch.Intake) -> None:
    look_at(both, FAR)
    assert (repaired(both), statuses(both)) == ([("away", FAR)], {"near": (1, 1), "away": (1, 0)})


def test_replicas_that_another_cluster_has_of_an_app_are_not_its_status(both: dispatch.Intake) -> None:
    look_at(both, FAR, "near", "away")
    with both.database.transaction() as tx:
        tx.execute(update(WorkloadRow).values(ready=0))
    look_at(both, LOCAL, "near", "away")
    assert statuses(both) == {"near": (1, 1), "away": (1, 0)}


def test_a_status_of_an_app_that_is_gone_goes_with_the_next_look(both: dispatch.Intake) -> None:
    with both.database.transaction() as tx:
        tx.execute(insert(WorkloadRow).values(app="gone", wanted=1, ready=1, replicas=[]))
    look_at(both, LOCAL, "near")
    assert sorted(statuses(both)) == ["away", "near"]
