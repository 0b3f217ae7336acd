"""The Docker cluster with real parts around it: replicas as rows in PostgreSQL, the router in front of them, and
clients.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Watch, Workload
from norn_tasks.store.database.session import Database
from norn_tasks.store.replicas import routes
from norn_tasks.store_adapters.replicas import ReplicaTable
from tests.contract.cluster_kit import docker_cluster, next_release, sh, webserver
from tests.fakes.stop import FakeStop
from tests.servers import free_port, wait_until

SLOW = "printf 'Content-Type: text/plain\\r\\n\\r\\n'; sleep 0.3; echo slow"
SERVES = sh(
    "mkdir -p /www/cgi-bin; echo ok > /www/health; "
    'printf "%s\\n" "#!/bin/sh" "$SLOW" > /www/cgi-bin/slow; chmod +x /www/cgi-bin/slow; '
    "httpd -f -p 8080 -h /www & wait"
)


@pytest.fixture
def port(database: Database, app: str) -> int:
    """Returns the port of the app's address."""
    free = free_port()
    with database.transaction() as tx:
        return routes.reserve_address(tx, app, free, free)


@pytest.fixture
def router(database: Database, database_url: str, port: int) -> Iterator[None]:
    """The router, listening."""
    environ = {**os.environ, "NORN_DATABASE_URL": database_url}
    process = subprocess.Popen([sys.executable, "-m", "norn_tasks.router"], env=environ)
    wait_until(lambda: _listening(database), 15, "the router listens")
    yield
    process.terminate()
    process.wait(15)


def _listening(database: Database) -> bool:
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


class User(threading.Thread):
    """Requests one path again and again; keeps responses that were not good in `failed`."""

    def __init__(self, port: int, path: str, *, keep: bool) -> None:
        super().__init__()
        self.answered = 0
        self.failed: list[object] = []
        self.done = threading.Event()
        self._port, self._path, self._keep = port, path, keep

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self.done.wait(0.005):
            try:
                connection.request("GET", self._path)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or body not in (b"ok\n", b"slow\n"):
                    self.failed.append((answer.status, body))
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(error)
                connection.close()
            if not self._keep:
                connection.close()
        connection.close()


@pytest.fixture
def web(app: str) -> Workload:
    """Two replicas, with a quick path and a slow one."""
    return replace(webserver(app), replicas=2, argv=SERVES, env={"SLOW": SLOW})


def test_of_a_users_requests_none_fails_while_all_replicas_are_replaced_three_times(
    clean_engine: EngineClient, database: Database, router: None, port: int, watch: Watch, web: Workload
) -> None:
    cluster = docker_cluster(clean_engine, ReplicaTable(database))
    cluster.await_rollout(web, watch)
    users = [User(port, path, keep=keep) for path in ("/health", "/cgi-bin/slow") for keep in (True, False)]
    for user in users:
        user.start()
    for _ in range(3):
        web = next_release(web)
        cluster.await_rollout(web, watch)
    for user in users:
        user.done.set()
        user.join(15)
    assert [failure for user in users for failure in user.failed] == []
    assert all(user.answered > 5 for user in users)


def test_a_rollout_and_its_end_are_rows(
    clean_engine: EngineClient, database: Database, port: int, watch: Watch, web: Workload
) -> None:
    table = ReplicaTable(database)
    cluster = docker_cluster(clean_engine, table)
    cluster.await_rollout(web, watch)
    seen = [(row.state, row.address.endswith(":8080")) for row in table.of_app(web.app)]
    cluster.dismantle(web.app, watch)
    assert (seen, table.of_app(web.app)) == ([("live", True)] * 2, ())
