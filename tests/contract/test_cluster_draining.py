"""Replicas that drain: a rollout has replaced them, and the router sends them no new requests, but they run until their
open connections have ended. Then another job removes them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker_cluster import policy
from norn_tasks.domain.errors import LeaseLost
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Cluster, Watch, Workload
from norn_tasks.store.database.session import Database
from norn_tasks.store.replicas import routes
from norn_tasks.store_adapters.replicas import ReplicaTable
from tests.contract import cluster_kit
from tests.contract.cluster_kit import World, docker_cluster, next_release, sh, webserver
from tests.fakes.stop import FakeStop, FakeWatch
from tests.servers import free_port, wait_until

CONNECTION = r"""read -r method path rest
while read -r field && [ "${#field}" -gt 1 ]; do :; done
if [ "$path" = /ws ]; then
  printf 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
  n=0; while echo "$RELEASE $n"; do n=$((n + 1)); usleep 20000; done
else
  printf 'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' "${#RELEASE}" "$RELEASE"
fi
"""
SERVES = sh('printf "#!/bin/sh\n%s" "$CONNECTION" > /c; chmod +x /c; nc -ll -p 8080 -e /c & wait')


@pytest.fixture
def port(database: Database, app: str) -> int:
    """The app's address."""
    free = free_port()
    with database.transaction() as tx:
        return routes.reserve_address(tx, app, free, free)


@pytest.fixture
def router(database: Database, database_url: str, port: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The router, listening; a test may replace the process."""
    processes = [start_router(database, database_url)]
    yield processes
    processes[-1].terminate()
    processes[-1].wait(15)


def start_router(database: Database, database_url: str) -> subprocess.Popen[bytes]:
    with database.transaction() as tx:
        tx.execute(text("UPDATE addresses SET listening_at = NULL"))
    environ = {**os.environ, "NORN_DATABASE_URL": database_url}
    process = subprocess.Popen([sys.executable, "-m", "norn_tasks.router"], env=environ)
    wait_until(lambda: listening(database), 30, "the router listens")
    return process


def listening(database: Database) -> bool:
    with database.transaction() as tx:
        return routes.addresses(tx)[0].silent is not None


@pytest.fixture
def watch(database: Database, app: str) -> Watch:
    """The watch of a running deploy job."""
    with database.transaction() as tx:
        job = tx.scalar(
            text(
                "INSERT INTO jobs (kind, class, app, exclusive, state, actor, lease_token)"
                " VALUES ('deploy', 'deploy', :app, true, 'running', 'test', 1) RETURNING id"
            ),
            {"app": app},
        )
    return Watch(Fence(int(job or 0), 1), print, FakeStop())


def release(app: str, n: int, **changes: object) -> Workload:
    """Returns release `n` of a server that writes numbered lines, and whose replicas may drain for a minute."""
    env = {"RELEASE": str(n), "CONNECTION": CONNECTION}
    more = {"healthcheck": None, "argv": SERVES, "env": env, "stream_grace": 60, "proven": True, **changes}
    return replace(webserver(app), release=n, generation=n, **more)  # type: ignore[arg-type]


class Stream(threading.Thread):
    """A connection through the router that was upgraded to a WebSocket; `lines` are the lines that have arrived,
    `ended` is set when it has ended.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.lines: list[str] = []
        self.ended = threading.Event()
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._socket.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        self._file = self._socket.makefile("r")
        assert "101" in self._file.readline()
        while self._file.readline().strip():
            pass
        self.start()

    def run(self) -> None:
        try:
            for line in self._file:
                self.lines.append(line.strip())
        except OSError:
            pass
        self.ended.set()

    def goes_on(self, release: int) -> bool:
        """Waits for ten more lines; returns whether all lines so far are whole, in order and of that release."""
        before = len(self.lines)
        wait_until(lambda: len(self.lines) > before + 10 or self.ended.is_set(), 30, "more lines")
        return not self.ended.is_set() and self.lines == [f"{release} {n}" for n in range(len(self.lines))]

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)


def served(port: int) -> str:
    """The release that answers a new request."""
    with socket.create_connection(("127.0.0.1", port), 10) as asked:
        asked.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return asked.makefile().read().rpartition("\n")[2]


def states(database: Database) -> list[tuple[int, str]]:
    with database.transaction() as tx:
        rows = tx.execute(text("SELECT release, state FROM replicas ORDER BY release, created_at"))
        return [(row.release, row.state) for row in rows]


def overdue(database: Database) -> None:
    """Lets the time of every draining replica be over."""
    with database.transaction() as tx:
        tx.execute(text("UPDATE replicas SET drains_until = clock_timestamp() WHERE state = 'draining'"))


def test_a_connection_survives_ten_rollouts_of_its_own_app(
    clean_engine: EngineClient,
    database: Database,
    router: list[subprocess.Popen[bytes]],
    port: int,
    app: str,
    watch: Watch,
) -> None:
    cluster = docker_cluster(clean_engine, ReplicaTable(database))
    cluster.await_rollout(release(app, 1), watch)
    wait_until(lambda: served(port) == "1", 15, "release 1 serves")
    stream = Stream(port)
    for n in range(2, 12):
        status = cluster.await_rollout(release(app, n), watch)
        assert (status.wanted, status.ready) == (1, 1)
        wait_until(lambda n=n: served(port) == str(n), 15, f"release {n} serves")
        assert stream.goes_on(1)
    assert states(database) == [(1, "draining"), (11, "live")]
    wait_until(lambda: draining(cluster)[:1] == [1], 15, "the router counts it")
    assert cluster.end_drained(watch) == 0
    stream.close()
    wait_until(lambda: cluster.end_drained(watch) == 1, 15, "it has drained")
    assert states(database) == [(11, "live")]
    assert len(cluster.status()[0].replicas) == 1


def draining(cluster: Cluster) -> list[int | None]:
    """Returns the number of open connections of each draining replica, as the cluster reports it."""
    return [each.connections for each in cluster.status()[0].replicas if each.state == "draining"]


def test_other_apps_no_longer_find_a_draining_replica_by_its_name(
    clean_engine: EngineClient,
    database: Database,
    router: list[subprocess.Popen[bytes]],
    port: int,
    app: str,
    watch: Watch,
) -> None:
    cluster = docker_cluster(clean_engine, ReplicaTable(database))
    cluster.await_rollout(release(app, 1), watch)
    wait_until(lambda: served(port) == "1", 15, "release 1 serves")
    stream = Stream(port)
    cluster.await_rollout(release(app, 2), watch)
    named = {each.release: app in aliases(clean_engine, each.container) for each in ReplicaTable(database).of_app(app)}
    assert named == {1: False, 2: True}
    assert cluster.drift(release(app, 2), watch) == ()
    assert stream.goes_on(1)
    cluster.dismantle(app, watch)
    assert stream.ended.wait(15) and states(database) == []


def aliases(engine: EngineClient, container: str) -> list[str]:
    found = engine.ask(lambda client: client.inspect_container(container))
    return found["NetworkSettings"]["Networks"][policy.NETWORK]["Aliases"] or []


def test_a_replica_whose_time_is_over_ends_with_its_connections(
    clean_engine: EngineClient,
    database: Database,
    router: list[subprocess.Popen[bytes]],
    port: int,
    app: str,
    watch: Watch,
) -> None:
    cluster = docker_cluster(clean_engine, ReplicaTable(database))
    cluster.await_rollout(release(app, 1), watch)
    wait_until(lambda: served(port) == "1", 15, "release 1 serves")
    stream = Stream(port)
    cluster.await_rollout(release(app, 2), watch)
    overdue(database)
    assert cluster.end_drained(watch) == 1
    assert stream.ended.wait(15) and states(database) == [(2, "live")]
    with database.transaction() as tx:
        events = tx.execute(text("SELECT kind, data FROM events WHERE kind LIKE 'replica.%' ORDER BY id")).all()
    assert [each.kind for each in events] == ["replica.draining", "replica.drained"]
    assert events[1].data["cut"] == 1


def test_a_router_that_is_killed_takes_the_connections_and_the_replica_may_end(
    clean_engine: EngineClient,
    database: Database,
    database_url: str,
    router: list[subprocess.Popen[bytes]],
    port: int,
    app: str,
    watch: Watch,
) -> None:
    cluster = docker_cluster(clean_engine, ReplicaTable(database))
    cluster.await_rollout(release(app, 1), watch)
    wait_until(lambda: served(port) == "1", 15, "release 1 serves")
    stream = Stream(port)
    cluster.await_rollout(release(app, 2), watch)
    router[-1].kill()
    router[-1].wait(15)
    assert stream.ended.wait(15) and cluster.end_drained(watch) == 0
    router.append(start_router(database, database_url))
    wait_until(lambda: cluster.end_drained(watch) == 1, 15, "the next router has nothing open")
    assert states(database) == [(2, "live")]


# On the fake, and on a real engine


@pytest.fixture(params=["fake", "docker"])
def world(request: pytest.FixtureRequest, app: str) -> World:
    if request.param == "fake":
        return cluster_kit.fake_world(app)
    return cluster_kit.docker_world(app, request.getfixturevalue("clean_engine"))


def drained_by(world: World) -> list[tuple[int, str]]:
    return [(row.release, row.state) for row in world.replicas.rows.values()]


def test_a_replica_with_open_requests_drains_and_the_rollout_ends(world: World) -> None:
    web = replace(world.web, stream_grace=60)
    world.roll(web)
    world.replicas.drains = False
    status = world.roll(next_release(web))
    assert drained_by(world) == [(1, "draining"), (2, "live")]
    assert (status.wanted, status.ready, len(world.containers())) == (1, 1, 2)
    assert {each.state for each in world.status().replicas} == {"draining", "running"}
    world.replicas.drains = True
    assert world.cluster.end_drained(FakeWatch(token=9).watch) == 1
    assert (drained_by(world), len(world.containers())) == ([(2, "live")], 1)


def test_surplus_replicas_drain_and_their_numbers_stay_taken(world: World) -> None:
    web = replace(world.web, stream_grace=60, replicas=2)
    world.roll(web)
    world.replicas.drains = False
    world.roll(replace(web, replicas=1))
    assert sorted(drained_by(world)) == [(1, "draining"), (1, "live")]
    world.roll(web)
    assert sorted(drained_by(world)) == [(1, "draining"), (1, "live"), (1, "live")]


@pytest.mark.parametrize("changes", [{"stream_grace": 0}, {"recreate": True}, {"replicas": 0}])
def test_a_rollout_that_lets_none_drain_ends_those_that_do(world: World, changes: dict[str, object]) -> None:
    web = replace(world.web, stream_grace=60)
    world.roll(web)
    world.replicas.drains = False
    world.roll(second := next_release(web))
    world.roll(next_release(second, **changes))
    assert [state for _, state in drained_by(world)] == ["live"] * (changes.get("replicas") != 0)
    assert len(world.containers()) == len(drained_by(world))


def test_a_frozen_worker_ends_no_draining_replica(world: World) -> None:
    web = replace(world.web, stream_grace=60)
    world.roll(web)
    world.replicas.drains = False
    world.roll(next_release(web))
    world.replicas.drains = True
    world.replicas.fallen.add(5)
    with pytest.raises(LeaseLost):
        world.cluster.end_drained(FakeWatch(token=5).watch)
    assert len(world.containers()) == 2


@pytest.mark.parametrize("verb", ["leaving", "draining"])
def test_a_worker_that_loses_its_lease_on_the_way_leaves_the_rest_to_the_next(world: World, verb: str) -> None:
    web = replace(world.web, stream_grace=60)
    world.roll(web)
    world.replicas.drains = False
    world.replicas.falls_at = verb
    with pytest.raises(LeaseLost):
        world.roll(next_release(web))
    world.roll(next_release(web), token=2)
    assert drained_by(world) == [(1, "draining"), (2, "live")]
