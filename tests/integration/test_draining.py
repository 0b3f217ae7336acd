"""The rows of draining replicas: when a drain is over, which replicas end earlier because a job needs their memory,
where they are counted, and which job ends them.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks import dispatch
from norn_tasks.domain.errors import LeaseLost
from norn_tasks.domain.jobs.job import Fence, JobClass, JobKind
from norn_tasks.domain.jobs.replica import Replica, ReplicaState
from norn_tasks.domain.jobs.requests import ObserveJobRequest
from norn_tasks.pipelines.observe import observe
from norn_tasks.steps.observation import EndDrained
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import memory
from norn_tasks.store.replicas import draining, repairs, routes
from norn_tasks.store.status.gauges import gauges
from norn_tasks.store.tables import JobRow, WorkerRow
from norn_tasks.store_adapters.replicas import ReplicaTable
from tests import factories

MIB = 2**20
ADDRESS = "10.0.0.2:80"


@pytest.fixture
def fence(database: Database) -> Fence:
    """The fence of a running deploy."""
    with database.transaction() as tx:
        job = tx.scalar(
            text(
                "INSERT INTO jobs (kind, class, app, exclusive, state, actor, lease_token)"
                " VALUES ('deploy', 'deploy', 'site', true, 'running', 'test', 1) RETURNING id"
            )
        )
    return Fence(int(job or 0), 1)


@pytest.fixture
def table(database: Database) -> ReplicaTable:
    return ReplicaTable(database)


def drains(
    table: ReplicaTable, fence: Fence, name: str, *, seconds: float = 60, mib: int | None = None, app: str = "site"
) -> None:
    """Writes the row of a replica that was replaced and drains."""
    row = Replica(name, app, 1, 7, ReplicaState.STARTING, memory=mib and mib * MIB)
    table.starting(row, fence)
    table.live(name, ADDRESS, fence)
    table.leaving(name, fence)
    table.draining(name, seconds, fence)


def due(table: ReplicaTable) -> list[str]:
    return [each.container for each in table.due()]


def opened(database: Database, **counts: int) -> None:
    """Writes the counts of open connections, as the router does."""
    with database.transaction() as tx:
        draining.count_connections(tx, counts)


def test_a_draining_replica_is_due_when_it_has_drained_or_its_time_is_over(
    database: Database, table: ReplicaTable, fence: Fence
) -> None:
    drains(table, fence, "busy")
    drains(table, fence, "late", seconds=0)
    drains(table, fence, "empty")
    with database.transaction() as tx:
        assert routes.live_routes(tx).leaving == {"busy", "late", "empty"}
        routes.mark_drained(tx, "empty")
    assert due(table) == ["late", "empty"]


def test_only_a_leaving_replica_drains_and_only_a_draining_one_is_ended(table: ReplicaTable, fence: Fence) -> None:
    table.starting(Replica("c1", "site", 1, 7, ReplicaState.STARTING), fence)
    table.live("c1", ADDRESS, fence)
    table.draining("c1", 60, fence)
    assert not table.ending("c1", fence)
    assert [(each.state, each.until) for each in table.of_app("site")] == [("live", None)]
    assert not table.ending("c9", fence)


@pytest.mark.parametrize("verb", ["draining", "ending"])
def test_a_fallen_fence_changes_nothing(table: ReplicaTable, fence: Fence, verb: str) -> None:
    drains(table, fence, "c1")
    fallen = Fence(fence.job, 2)
    with pytest.raises(LeaseLost):
        table.draining("c1", 60, fallen) if verb == "draining" else table.ending("c1", fallen)
    assert due(table) == []


def test_the_row_has_the_connections_that_the_router_counted(
    database: Database, table: ReplicaTable, fence: Fence
) -> None:
    drains(table, fence, "c1")
    before = table.of_app("site")[0].connections
    opened(database, c1=3)
    (row,) = table.of_app("site")
    assert (before, row.connections, row.until is not None) == (None, 3, True)
    with database.transaction() as tx:
        found = gauges(tx)
    assert found["norn_replicas_draining"] == {("site",): 1}
    assert found["norn_replicas_draining_connections"] == {("site",): 3}


def test_events_have_the_beginning_and_the_end_with_what_was_cut(
    database: Database, table: ReplicaTable, fence: Fence
) -> None:
    drains(table, fence, "c1")
    opened(database, c1=2)
    table.gone("c1", fence)
    drains(table, fence, "c2")
    with database.transaction() as tx:
        routes.mark_drained(tx, "c2")
    table.gone("c2", fence)
    with database.transaction() as tx:
        rows = tx.execute(text("SELECT kind, data FROM events WHERE kind LIKE 'replica.%' ORDER BY id")).all()
    assert [(row.kind, row.data["replica"], row.data.get("cut")) for row in rows] == [
        ("replica.draining", "c1", None),
        ("replica.drained", "c1", 2),
        ("replica.draining", "c2", None),
        ("replica.drained", "c2", 0),
    ]


def test_beyond_the_most_of_an_app_the_one_whose_time_ends_first_is_due(table: ReplicaTable, fence: Fence) -> None:
    for n in range(draining.MOST):
        drains(table, fence, f"c{n}", seconds=100 + n)
    drains(table, fence, "other", seconds=10, app="shop")
    assert due(table) == []
    drains(table, fence, "new", seconds=1000)
    assert due(table) == ["c0"]


# The job that ends them


def observed(database: Database) -> list[dict[str, Any]]:
    with database.transaction() as tx:
        rows = tx.execute(text("SELECT args, engine, cluster FROM jobs WHERE kind = 'observe' ORDER BY id"))
        return [dict(row) for row in rows.mappings()]


def test_the_end_of_due_replicas_is_one_job_that_waits_for_no_change_of_the_app(
    database: Database, table: ReplicaTable, fence: Fence
) -> None:
    factories.add_live(database, "web", "webserver")
    intake = factories.intake(database)
    drains(table, fence, "c1")
    assert dispatch.request_end_of_drained(intake, actor="beat") is None
    drains(table, fence, "c2", seconds=0)
    for _ in range(3):
        dispatch.request_end_of_drained(intake, actor="beat")
    assert [each["cluster"] for each in observed(database)] == ["docker"]
    job = factories.claim(database, job_class=JobClass.OBSERVE)
    assert job.request_as(ObserveJobRequest).drained
    assert [type(step) for step in observe(job)] == [EndDrained]


# Repairs and memory


def test_a_draining_replica_of_an_earlier_rollout_asks_for_no_repair(database: Database) -> None:
    factories.add_live(database, "web", "webserver")
    with database.transaction() as tx:
        for state, generation in (("live", 1), ("draining", 0)):
            tx.execute(
                text("""INSERT INTO replicas(container, app, release, generation, state, token)
                        VALUES (:state, 'web', 1, :generation, :state, 1)"""),
                {"state": state, "generation": generation},
            )
        assert not repairs.stable_apps(tx, factories.CLUSTER, factories.ENGINE)["web"].mixed
        assert memory.replicas_of(tx, "web") == 1


def engine(database: Database, mib: int) -> None:
    """Writes the rows of an engine with this much memory, and of a worker on it."""
    speaks = {"name": "speaks", "class_": "deploy", "host": "here", "pid": 1, "engine": factories.ENGINE, "slots": 1}
    with database.transaction() as tx:
        memory.speak(tx, factories.ENGINE, mib * MIB, 0)
        tx.execute(insert(WorkerRow).values(speaks).on_conflict_do_nothing())


def waiting_deploy(database: Database, mib: int) -> None:
    """Adds a rollback of another app, which has waited for some seconds and needs this much memory."""
    more = f"resources: {{memory: {mib}m}}\n"
    factories.add_live(database, "big", "webserver", more)
    with database.transaction() as tx:
        spec = factories.spec("big", "webserver", more).frozen()
        job = factories.add_job(tx, JobKind.ROLLBACK, "big", spec=spec)
        tx.execute(
            update(JobRow).where(JobRow.id == job).values(run_after=text("clock_timestamp() - interval '6 s'"))
        )  # fmt: skip


def three_drain(database: Database, table: ReplicaTable, fence: Fence) -> None:
    """Makes three draining replicas of 300 MiB each, on an engine of 1000 MiB."""
    engine(database, 1000)
    factories.add_live(database, "site", "webserver", "resources: {memory: 300m}\n")
    for n in range(3):
        drains(table, fence, f"c{n}", seconds=100 + n, mib=300)


@pytest.mark.parametrize(("need", "ended"), [(100, []), (150, ["c0"]), (600, ["c0", "c1"]), (1001, [])])
def test_work_that_waits_for_memory_gets_that_of_the_replicas_whose_time_ends_first(
    database: Database, table: ReplicaTable, fence: Fence, need: int, ended: list[str]
) -> None:
    three_drain(database, table, fence)
    waiting_deploy(database, need)
    with database.transaction() as tx:
        made = draining.make_room(tx)
        again = draining.make_room(tx)
    assert (due(table), made, again) == (ended, len(ended), 0)
