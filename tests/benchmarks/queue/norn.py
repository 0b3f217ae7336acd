"""Norn under measurement: calls of a function, accepted as the API accepts them, and two workers of the class `invoke`.

Only the container is missing: each run is recorded, begun, ended and published.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib.metadata import version

from sqlalchemy import update

from norn_tasks.adapters.runtimes.noop import IDENTITY
from norn_tasks.dispatch import Intake, open_intake, request_invoke
from norn_tasks.domain.jobs.call import Call
from norn_tasks.settings import Settings
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from norn_tasks.store.tables import ReleaseRow
from tests import factories
from tests.benchmarks.queue.subject import Send, Stores
from tests.e2e.stack import Stack

WORKERS, SLOTS = ("invoke", "invoke-2"), 8
_CALL = Call("POST", "/", "", {}, "", b"x")
_ENDS = "SELECT id, extract(epoch FROM ended_at)::float8 AS at FROM jobs WHERE state = 'succeeded'"


class Norn:
    """Norn on a database and a broker of its own."""

    name, durable = "norn", True

    def __init__(self, stores: Stores) -> None:
        self.version = version("norn")
        stores.postgres.execute("CREATE DATABASE norn")
        url = stores.postgres.url("norn")
        migrate.upgrade(url)
        self._database = Database(url, pool=SLOTS)
        self._intake: Intake = open_intake(
            self._database, Settings(database_url=url, broker_url=stores.broker.url, async_waiting=10**7)
        )
        noop = {"NORN_TEST_BUILD": "1", "NORN_NOOP_RUNTIME": "1", "NORN_WORKERS_INVOKE": str(SLOTS)}
        home = stores.home / "norn"
        home.mkdir()
        self._stack = Stack(home, url, stores.broker.url, **noop)
        self._jobs: dict[int, int] = {}
        self._lock = threading.Lock()
        factories.add_live(self._database, "noop", more="function: {concurrency: 16}\n", at_once=2 * SLOTS)
        with self._database.transaction() as tx:
            tx.execute(update(ReleaseRow).values(engine=IDENTITY))

    def sender(self) -> Send:
        """Returns the function with which the API accepts calls."""

        def send(n: int) -> None:
            job = request_invoke(self._intake, "noop", call=_CALL, sync=False, actor="bench").job
            with self._lock:
                self._jobs[job] = n

        return send

    def start(self) -> None:
        """Starts two workers and the scheduler, which repeats wake-ups."""
        self._stack.processes.clear()
        for name in WORKERS:
            self._stack.spawn("invoke", name)
        self._stack.spawn("beat")

    def pids(self) -> list[int]:
        """Returns the processes."""
        return [process.pid for process in self._stack.processes.values()]

    def ends(self) -> Mapping[int, float]:
        """Returns when each job ended, read from its row."""
        return {self._jobs[row["id"]]: row["at"] for row in self._stack.rows(_ENDS) if row["id"] in self._jobs}

    def stop(self) -> None:
        """Ends the processes."""
        self._stack.stop()
