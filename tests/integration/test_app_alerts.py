"""Live replicas after their deploy: the results of an observation reach the router, the repairs, the alerts and the
history.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from norn_tasks.domain.disk import Least
from norn_tasks.domain.infraspec import Health
from norn_tasks.domain.jobs.app_status import ReplicaStatus, ReplicaUsage, WorkloadStatus
from norn_tasks.domain.jobs.facts import RequestedRepairs
from norn_tasks.domain.jobs.replica import ReplicaEnd, ReplicaSighting
from norn_tasks.domain.jobs.writes import WorkloadSeen
from norn_tasks.store.alerts import app_rules, layer_rules, server_rules
from norn_tasks.store.database.session import Database, Tx
from norn_tasks.store.replicas import observations, routes
from norn_tasks.store.status import apps
from tests import factories

WEB = Health(path="/up").model_dump_json(by_alias=True)


def add(database: Database, *containers: str, generation: int = 1, app: str = "web") -> None:
    """Adds live replicas with an address."""
    with database.transaction() as tx:
        for n, container in enumerate(containers):
            values = {"c": container, "app": app, "g": generation, "a": f"10.0.0.{n + 2}:80", "h": WEB}
            tx.execute(text("""INSERT INTO replicas(container, app, release, generation, state, address, token, health)
                VALUES (:c, :app, :g, :g, 'live', :a, 1, CAST(:h AS jsonb))"""), values)  # fmt: skip


def hurt(container: str, *, failures: int = 3, silent: bool = True) -> ReplicaSighting:
    """Returns the observation of a replica that fails its checks."""
    fault = "GET /up gave no answer within 2 s" if silent else "GET /up answered 500"
    return ReplicaSighting(container, 0, True, failures, fault, silent, failures >= 3)


def well(container: str, restarts: int = 0) -> ReplicaSighting:
    """Returns the observation of a healthy replica."""
    return ReplicaSighting(container, restarts, True)


def end(container: str, ago: float, code: int = 1, *, memory: bool = False) -> ReplicaEnd:
    """Returns the end of a replica's program, `ago` seconds in the past."""
    return ReplicaEnd(container, datetime.now(UTC) - timedelta(seconds=ago), code, memory)


def seen(
    database: Database, *sightings: ReplicaSighting, ends: Sequence[ReplicaEnd] = (), ready: int | None = None
) -> None:
    """Stores an observation of the app, and lets the alert rules evaluate it."""
    good = sum(not each.unhealthy for each in sightings) if ready is None else ready
    status = WorkloadStatus("web", max(1, len(sightings)), good, sightings=sightings, ends=tuple(ends))
    with database.transaction() as tx:
        observations.workload_seen(tx, {}, WorkloadSeen(factories.CLUSTER, (status,), complete=False))
    app_rules.look(database)


def alerts(database: Database) -> list[tuple[str, str]]:
    """Returns the open alerts, as (kind, sentence)."""
    with database.transaction() as tx:
        found = tx.execute(text("SELECT kind, sentence FROM alerts WHERE resolved_at IS NULL ORDER BY id"))
        return [(row.kind, row.sentence) for row in found]


def resolutions(database: Database) -> list[str]:
    """Returns why alerts were resolved."""
    with database.transaction() as tx:
        return list(tx.scalars(text("SELECT resolution FROM alerts WHERE resolved_at IS NOT NULL ORDER BY id")))


def state(database: Database) -> str:
    """Returns the state of the app."""
    with database.transaction() as tx:
        return apps.one(tx, None, "web").state


@pytest.fixture
def web(database: Database) -> Database:
    """A database with a live webserver of one replica, `c1`."""
    factories.add_live(database, "web", "webserver", "healthcheck: /up\nresources: {memory: 64m}\n")
    add(database, "c1")
    return database


# Programs that end


def test_a_replica_that_ends_again_and_again_is_crash_looping(web: Database) -> None:
    known = [end("c1", 20), end("c1", 10)]
    seen(web, well("c1"), ends=known)
    assert (alerts(web), state(web)) == ([], "running")
    seen(web, well("c1"), ends=[*known, end("c1", 1, 7)])
    assert alerts(web) == [
        ("crash-looping", "web ended 3 times within 5m, the last time with exit code 7, and was started again")
    ]
    assert state(web) == "crash-looping"


def test_one_kill_for_its_memory_is_enough(web: Database) -> None:
    seen(web, well("c1"), ends=[end("c1", 3, 137, memory=True)])
    assert alerts(web) == [("out-of-memory", "web used more than its 64m of memory and was killed, once within 5m")]
    assert state(web) == "crash-looping"


def test_restarts_that_the_engine_has_no_event_of_are_counted(web: Database) -> None:
    seen(web, well("c1", restarts=4))
    assert [kind for kind, _ in alerts(web)] == ["crash-looping"]


def test_a_spec_says_how_many_ends_raise_an_alert(database: Database) -> None:
    factories.add_live(database, "web", "worker", "alerts: {window: 1m, threshold: 2}\n")
    add(database, "c1")
    seen(database, well("c1"), ends=[end("c1", 70), end("c1", 1, 137, memory=True)])
    assert alerts(database) == []
    seen(database, well("c1"), ends=[end("c1", 0, 137, memory=True)])
    assert [kind for kind, _ in alerts(database)] == ["out-of-memory"]


def test_another_rollout_that_runs_ends_the_alert(web: Database) -> None:
    seen(web, well("c1"), ends=[end("c1", ago) for ago in (3, 2, 1)])
    with web.transaction() as tx:
        factories.add_release(tx, factories.spec("web", "webserver"), 2)
    seen(web, well("c1"), ready=0)
    assert len(alerts(web)) == 1
    add(web, "c2", generation=2)
    seen(web, well("c2"))
    assert (alerts(web), resolutions(web), state(web)) == ([], ["release 2 runs on"], "running")


def test_the_same_rollout_must_run_on_for_the_whole_window(web: Database) -> None:
    seen(web, well("c1"), ends=[end("c1", ago) for ago in (200, 150, 100)])
    seen(web, well("c1"))
    assert len(alerts(web)) == 1
    aged(web, "replica_ends", "at", 201)
    seen(web, well("c1"))
    assert (alerts(web), resolutions(web)) == ([], ["release 1 runs on"])


def aged(database: Database, table: str, column: str, seconds: float) -> None:
    """Makes rows older by `seconds`."""
    with database.transaction() as tx:
        tx.execute(text(f"UPDATE {table} SET {column} = {column} - make_interval(secs => :s)"), {"s": seconds})


# Replicas that fail their checks


def targets(database: Database) -> list[str]:
    """Returns the replicas to which the router sends requests."""
    with database.transaction() as tx:
        routes.reserve_address(tx, "web", 18800, 18801)
        return [target.container for route in routes.live_routes(tx).routes for target in route.targets]


def test_a_hanging_replica_leaves_the_router_and_is_reported_until_it_is_well(web: Database) -> None:
    seen(web, hurt("c1", failures=2))
    assert (targets(web), alerts(web)) == (["c1"], [])
    seen(web, hurt("c1"))
    assert (targets(web), state(web)) == ([], "unhealthy")
    assert alerts(web) == [
        ("unhealthy", "the replica of web failed 3 health checks in a row: GET /up gave no answer within 2 s")
    ]
    seen(web, well("c1"))
    assert (targets(web), resolutions(web), state(web)) == (["c1"], ["its replicas are healthy"], "running")


@pytest.mark.parametrize(("others", "kept"), [((), True), (("c2",), False)])
def test_a_replica_that_answers_badly_serves_on_only_while_no_other_is_well(
    web: Database, others: tuple[str, ...], kept: bool
) -> None:
    add(web, *others)
    seen(web, hurt("c1", silent=False), *map(well, others))
    assert targets(web) == (["c1"] if kept else list(others))


def test_a_replica_that_hangs_is_reported_by_the_look_that_has_it_repaired(web: Database) -> None:
    hanging = WorkloadStatus("web", 1, 0, sightings=(hurt("c1"),))
    with web.transaction() as tx:
        tx.execute(text("UPDATE jobs SET ended_at = now() - interval '1 h'"))
        look: Any = {"first_claimed_at": datetime.now(UTC), "id": 1}
        seen = WorkloadSeen(factories.CLUSTER, (hanging,), complete=True, engine=factories.ENGINE)
        [asked] = observations.workload_seen(tx, look, seen)
    assert isinstance(asked, RequestedRepairs)
    with web.transaction() as tx:
        tx.execute(text("DELETE FROM replicas"))
    app_rules.look(web)
    assert [kind for kind, _ in alerts(web)] == ["unhealthy"]


# Apps without a serving replica, and the kept history of an app's states


def test_an_app_that_does_not_come_back_is_down(web: Database) -> None:
    seen(web, ready=0)
    assert alerts(web) == []
    aged(web, "app_states", "began_at", app_rules.DOWN_FOR + 1)
    seen(web, ready=0)
    assert alerts(web) == [("down", "no replica of web serves")]
    seen(web, well("c1"))
    assert (alerts(web), resolutions(web)) == ([], ["it serves"])


def test_a_look_keeps_each_change_of_an_apps_state(web: Database) -> None:
    for ready in (1, 1, 0, 0, 1):
        seen(web, well("c1"), ready=ready)
    with web.transaction() as tx:
        found = tx.execute(text("SELECT state, ended_at IS NULL FROM app_states ORDER BY id")).all()
    assert [tuple(row) for row in found] == [("running", False), ("down", False), ("running", True)]


# Deploys and disks


def deployed(tx: Tx, state: str, release: int) -> None:
    """Ends a deploy of the app."""
    tx.execute(text("""INSERT INTO deployments(app, job_id, kind, state, release, actor, error, ended_at)
        VALUES ('web', 0, 'deploy', :state, :n, 'ann', CAST(:error AS jsonb), clock_timestamp())"""),
        {"state": state, "n": release, "error": json.dumps({"sentence": "the build failed"})})  # fmt: skip


def test_a_deploy_that_failed_is_reported_until_another_one_is_live(web: Database) -> None:
    for n, (result, expected) in enumerate((("failed", 1), ("cancelled", 1), ("deployed", 0), ("failed", 1)), start=2):
        with web.transaction() as tx:
            deployed(tx, result, n)
        app_rules.look(web)
        app_rules.look(web)
        assert len(alerts(web)) == expected
    assert alerts(web) == [("deploy-failed", "the deploy of release 5 of web failed: the build failed")]


def test_a_full_disk_is_one_alert_of_the_server(web: Database) -> None:
    def disk(free: int) -> None:
        spaces = json.dumps([{"use": "engine", "path": "/var/lib/docker", "free": free, "total": 10 * 2**30}])
        with web.transaction() as tx:
            tx.execute(text("DELETE FROM workers"))
            tx.execute(text("""INSERT INTO workers(name, class, host, pid, slots, spaces) VALUES
                ('w', 'deploy', 'h', 1, 1, CAST(:spaces AS jsonb))"""), {"spaces": spaces})  # fmt: skip
        server_rules.look(web, Least(2**30, 1))

    disk(2**20)
    disk(2**20)
    assert alerts(web) == [
        ("disk-full", "a disk is nearly full, and nothing is built: 1 MiB (0 %) free in /var/lib/docker")
    ]
    disk(5 * 2**30)
    assert alerts(web) == []


# A cluster whose replicas have no rows


def seen_pods(database: Database, *states: str, ends: Sequence[ReplicaEnd] = (), message: str = "") -> None:
    """Stores an observation of pods in these states, and lets the alert rules evaluate it."""
    pods = tuple(ReplicaStatus(f"web-{n}", state, 1, healthy=state == "running") for n, state in enumerate(states))
    ready = sum(state == "running" for state in states)
    status = WorkloadStatus("web", len(states), ready, pods, message=message, ends=tuple(ends))
    with database.transaction() as tx:
        observations.workload_seen(tx, {}, WorkloadSeen(factories.CLUSTER, (status,), complete=False))
    app_rules.look(database)


def end_of_pod(ago: float, *, generation: int, memory: bool = False) -> ReplicaEnd:
    """Returns an end of a pod's program."""
    at = datetime.now(UTC) - timedelta(seconds=ago)
    return ReplicaEnd("web-0", at, 137 if memory else 3, memory, release=generation, generation=generation)


def test_a_pod_that_ends_again_and_again_is_crash_looping(database: Database) -> None:
    factories.add_live(database, "web", "webserver", "healthcheck: /up\n")
    earlier = [end_of_pod(ago, generation=0) for ago in (9, 8, 7)]
    seen_pods(database, "running", ends=[*earlier, end_of_pod(20, generation=1), end_of_pod(10, generation=1)])
    assert alerts(database) == []
    last = end_of_pod(1, generation=1)
    seen_pods(database, "running", ends=[last])
    seen_pods(database, "running", ends=[last])
    sentence = "web ended 3 times within 5m, the last time with exit code 3, and was started again"
    assert alerts(database) == [("crash-looping", sentence)]


def test_a_pod_that_served_and_is_not_ready_is_unhealthy_until_it_is(database: Database) -> None:
    factories.add_live(database, "web", "webserver", "healthcheck: /up\nreplicas: 2\n")
    seen_pods(database, "running", "pending", message="it pulls its image")
    assert alerts(database) == []
    seen_pods(database, "running", "not ready", message="the readiness probe gets status 503")
    sentence = "1 of 2 replicas of web fails its health check: the readiness probe gets status 503"
    assert alerts(database) == [("unhealthy", sentence)]
    seen_pods(database, "running", "running")
    assert (alerts(database), resolutions(database)) == ([], ["its replicas are healthy"])


# Writable layers of containers


def test_a_replica_that_writes_much_outside_of_its_volumes_is_named(web: Database) -> None:
    wrote(web, 3 * 2**30)
    layer_rules.look(web, 3 * 2**30)
    assert alerts(web) == []
    wrote(web, 6 * 2**30)
    wrote(web, None)
    layer_rules.look(web, 3 * 2**30)
    assert alerts(web) == [("layer-large", "a replica of web has written 6g outside of its volumes, without a limit")]
    assert state(web) == "running"
    wrote(web, 0, "c2")
    layer_rules.look(web, 3 * 2**30)
    assert (alerts(web), resolutions(web)) == ([], ["no container of the app has written that much any longer"])


def wrote(database: Database, written: int | None, container: str = "c1") -> None:
    """Stores an observation that has measured the writable layer of the only replica, or (None) could not
    measure it.
    """
    usage = ReplicaUsage(container, datetime.now(UTC).timestamp(), 1.0, 1, written=written)
    replicas = (ReplicaStatus("r1-1", "running", 1, usage=usage),)
    status = WorkloadStatus("web", 1, 1, replicas, sightings=(well(container),))
    with database.transaction() as tx:
        observations.workload_seen(tx, {}, WorkloadSeen(factories.CLUSTER, (status,), complete=False))
