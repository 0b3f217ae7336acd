"""Norn under measurement: calls of a function, accepted as the API accepts them, and workers of the class `invoke`.

The runs have no container; otherwise they are real: recorded, begun, ended and published.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from sqlalchemy import update

from norn_tasks.adapters.runtimes.noop import IDENTITY
from norn_tasks.dispatch import Intake, open_intake, request_grouped_invoke
from norn_tasks.domain.jobs.call import Call
from norn_tasks.settings import Settings
from norn_tasks.store.apps import registry
from norn_tasks.store.database import migrate
from norn_tasks.store.database.opening import open_for_requests
from norn_tasks.store.tables import ReleaseRow
from tests import factories
from tests.benchmarks.queue.counting import rows
from tests.benchmarks.queue.subject import Send, Stores
from tests.e2e.stack import Stack

_CALL = Call("POST", "/", "", {}, "", b"x")
_ENDED = "state NOT IN ('queued', 'running') AND kind = 'invoke'"
_ENDS = f"SELECT id::text, extract(epoch FROM ended_at)::float8 FROM jobs WHERE {_ENDED}"
_BEGINS = "SELECT id::text, runs FROM jobs WHERE kind = 'invoke'"
_COUNT = f"SELECT count(*) FROM jobs WHERE {_ENDED}"
_FAILED = f"{_COUNT} AND state <> 'succeeded'"


class Norn:
    """Norn on a database and a broker of its own."""

    name, durable, database = "norn", True, "norn"

    def __init__(self, stores: Stores, workers: int, slots: int) -> None:
        self.version = version("norn")
        self._names = [f"invoke-{n}" for n in range(workers)]
        self._postgres = stores.postgres
        stores.postgres.execute("CREATE DATABASE norn")
        url = stores.postgres.url("norn")
        migrate.upgrade(url)
        settings = Settings(database_url=url, broker_url=stores.broker.url, async_waiting=10**7)
        self._database = open_for_requests(settings)
        self._intake: Intake = open_intake(self._database, settings)
        noop = {"NORN_TEST_BUILD": "1", "NORN_NOOP_RUNTIME": "1", "NORN_WORKERS_INVOKE": str(slots)}
        home = stores.home / "norn"
        home.mkdir()
        self._stack = Stack(home, url, stores.broker.url, **noop)
        at_once = workers * slots
        factories.add_live(self._database, "noop", more=f"function: {{concurrency: {at_once}}}\n", at_once=at_once)
        with self._database.transaction() as tx:
            tx.execute(update(ReleaseRow).values(engine=IDENTITY))
        with self._database.transaction() as tx:
            live = registry.live_function(tx, "noop")
        assert live is not None, "it was made just now"
        self._live = live

    def sender(self) -> Send:
        """Returns a function that accepts a call, as the API does."""

        def send(_: int) -> str:
            return str(request_grouped_invoke(self._intake, "noop", self._live, call=_CALL, actor="bench").job)

        return send

    def start(self) -> None:
        """Starts the workers and the scheduler, which repeats wake-ups."""
        self._stack.processes.clear()
        for name in self._names:
            self._stack.spawn("invoke", name)
        self._stack.spawn("beat")

    def pids(self) -> list[int]:
        """Returns the pids of the workers."""
        return [self._stack.processes[name].pid for name in self._names]

    def others(self) -> list[int]:
        """Returns the pid of the scheduler."""
        return [self._stack.processes["beat"].pid]

    def replace(self, n: int) -> None:
        """Kills a worker, and starts another one under a new name, as `norn up` does."""
        name = self._names[n % len(self._names)]
        self._stack.kill_group(name)
        self._stack.spawn("invoke", name, name=f"{name}-{n}")

    def supervise(self) -> None:
        """Starts each process again that has ended by itself; the new process chooses its own name."""
        for name, process in list(self._stack.processes.items()):
            if process.poll() is not None:
                self._stack.spawn("beat" if name == "beat" else "invoke", name, unnamed=True)

    def ended(self) -> int:
        """Returns how many jobs have ended, according to their rows."""
        return int(self._rows(_COUNT)[0][0])

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return rows(self._postgres, self.database, query)

    def ends(self) -> Mapping[str, float]:
        """Returns when each job has ended, by its row."""
        return dict(self._rows(_ENDS))

    def begins(self) -> Mapping[str, int]:
        """Returns how often the code of each job has begun, by its row."""
        return dict(self._rows(_BEGINS))

    def failed(self) -> int:
        """Counts the jobs whose row says that they failed."""
        return int(self._rows(_FAILED)[0][0])

    def stop(self) -> None:
        """Ends the processes."""
        self._stack.stop()
