"""10,000 asynchronous calls of a function from 200 clients at once: accepted by the API, and drained by two workers.

Everything is real but the container (the no-op runtime). The targets on two quiet cores: each call is accepted, 99% of
them within 400 ms, and all have ended within 30 s after the last acceptance. The test prints these figures; it fails
only if an accepted call has not succeeded.
"""

from __future__ import annotations

import http.client
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from norn_tasks.adapters.runtimes.noop import IDENTITY
from norn_tasks.store.access.tokens import ensure_bootstrap
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from norn_tasks.store.tables import ReleaseRow
from tests import factories
from tests.benchmarks.tables import percentile
from tests.e2e.stack import Stack
from tests.servers import Broker, Postgres, wait_until

CALLS, CLIENTS = int(os.environ.get("NORN_BENCH_CALLS", "10000")), 200


@pytest.fixture
def stack() -> Iterator[Stack]:
    """API, beat and two invoke workers, on stores of their own; PostgreSQL has fsync on."""
    home = Path(tempfile.mkdtemp(prefix="norn-bench-"))
    home.chmod(0o755)
    postgres, broker = Postgres(home / "pg", fsync="on"), Broker(home / "broker")
    postgres.execute("CREATE DATABASE norn")
    migrate.upgrade(postgres.url("norn"))
    noop = {
        "NORN_TEST_BUILD": "1",
        "NORN_NOOP_RUNTIME": "1",
        "NORN_WORKERS_INVOKE": "8",
        "NORN_ASYNC_WAITING": str(CALLS),
    }
    stack = Stack(home, postgres.url("norn"), broker.url, **noop)
    _deploy(stack)
    try:
        stack.start("api", "beat")
        stack.spawn("invoke")
        stack.spawn("invoke", "invoke-2")
        yield stack
    finally:
        stack.stop()
        broker.stop()
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)


def _deploy(stack: Stack) -> None:
    database = Database(stack.database_url, pool=1)
    ensure_bootstrap(database, stack.home / "token")
    factories.add_live(database, "thumb", more="function: {concurrency: 16}\n", at_once=16)
    with database.transaction() as tx:
        tx.execute(update(ReleaseRow).values(engine=IDENTITY))
    database.dispose()


def _client(stack: Stack, count: int) -> list[tuple[int, float]]:
    """Makes `count` calls on one connection; returns status and duration in seconds of each."""
    headers = {"Authorization": f"Bearer {(stack.home / 'token').read_text().strip()}", "Prefer": "respond-async"}
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
    answers = []
    for _ in range(count):
        start = time.perf_counter()
        connection.request("POST", "/api/apps/thumb/invoke", body=b"x", headers=headers)
        answer = connection.getresponse()
        answer.read()
        answers.append((answer.status, time.perf_counter() - start))
    connection.close()
    return answers


@pytest.mark.timeout(900)
def test_asynchronous_calls_are_accepted_and_drained(stack: Stack) -> None:
    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [
            one for each in clients.map(lambda _: _client(stack, CALLS // CLIENTS), range(CLIENTS)) for one in each
        ]
    accepted = time.perf_counter() - start
    left = "SELECT 1 FROM jobs WHERE state IN ('queued', 'running') AND class = 'invoke' LIMIT 1"
    wait_until(lambda: not stack.rows(left), 600, "all have ended")
    drained = time.perf_counter() - start - accepted
    p99 = percentile([took for _, took in answers], 99) or 0.0
    taken = sum(status == 202 for status, _ in answers)
    print(f"\n{len(answers)} asynchronous calls from {CLIENTS} clients: {taken} accepted in {accepted:.0f} s, "
          f"{len(answers) - taken} refused (hold 0), p99 {p99 * 1000:.0f} ms (hold 400); drained {drained:.0f} s later "
          f"(hold 30)")  # fmt: skip
    ends = stack.rows("SELECT state, count(*)::int AS n FROM func_executions GROUP BY state")
    assert ends == [{"state": "succeeded", "n": taken}]
