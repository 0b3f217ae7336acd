"""After a thousand calls of one app, a call of another app begins within a second, and no app has more than its number
of slots (concurrent calls).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import httpx
import pytest

from norn_tasks.domain.jobs.call import Call
from norn_tasks.store.database.session import Database
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from tests.e2e import apps
from tests.e2e.stack import Stack
from tests.servers import allowed

ENVIRONMENT = {"NORN_ASYNC_WAITING": "2000"}
"""The limit for waiting calls, which is higher than the number of calls in this test."""
FLOOD = 1000
SLOTS = 3


def _flood(stack: Stack) -> None:
    """Accepts the calls quickly, by the store's own function."""
    database = Database(stack.database_url, pool=1)
    with database.transaction() as tx:
        release = releases.require_live(tx, "flood")
        for _ in range(FLOOD):
            runs.accept_call(tx, release, Call(), sync=False, actor="test", patience=900)
    database.dispose()


def _call(stack: Stack) -> None:
    """Makes one more call over the API, which wakes the workers."""
    token = (stack.home / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Prefer": "respond-async"}
    assert httpx.post(f"{stack.url}/fn/flood", headers=headers, timeout=30).status_code == 202


@contextmanager
def _sampled(stack: Stack) -> Iterator[list[int]]:
    """Counts repeatedly the containers of the flooding app on the engine."""
    client = docker.DockerClient(base_url=stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    instance = stack.rows("SELECT name FROM instance")[0]["name"]
    chosen = {"label": [f"norn.io/instance={instance}", "norn.io/app=flood"], "status": ["running"]}
    ended, counts = threading.Event(), [0]

    def sample() -> None:
        while not ended.wait(0.1):
            counts.append(len(client.api.containers(filters=chosen)))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield counts
    finally:
        ended.set()
        thread.join()
        client.close()


@pytest.mark.timeout(240)
def test_a_quiet_app_begins_within_a_second_behind_a_thousand_calls_of_another(stack: Stack) -> None:
    apps.deploy_function(stack, "flood", apps.slow_function(0.5), f"function: {{concurrency: {SLOTS}, memory: 16m}}\n")
    apps.deploy_function(stack, "quiet", more="function: {memory: 16m}\n")
    with _sampled(stack) as counts:
        _flood(stack)
        _call(stack)
        waited = []
        for _ in range(5):
            stack.norn("invoke", "quiet", "--body", "x")
            row = stack.rows("""SELECT extract(epoch FROM begun_at - created_at)::float8 AS waited FROM jobs
                                WHERE app = 'quiet' AND kind = 'invoke' ORDER BY id DESC LIMIT 1""")[0]
            waited.append(row["waited"])
    left = stack.rows("SELECT count(*) AS n FROM jobs WHERE app = 'flood' AND state = 'queued'")[0]["n"]
    begun = [round(each, 2) for each in waited]
    print(f"\nquiet calls began after {begun} s, with {left} calls of another app waiting; "
          f"of that app ran at most {max(counts)} of {SLOTS}, in {len(counts)} samples")  # fmt: skip
    assert left > FLOOD / 2
    assert (max(waited) <= allowed(1), 0 < max(counts) <= SLOTS) == (True, True)
