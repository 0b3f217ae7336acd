"""A Norn under load: API, beat and invoke workers with the no-op runtime (which starts no container), on stores of
their own with fsync on.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import update

from norn_tasks.adapters.runtimes.noop import IDENTITY
from norn_tasks.store.access.tokens import ensure_bootstrap
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from norn_tasks.store.tables import ReleaseRow
from tests import factories, ledger_kit
from tests.e2e.stack import Stack
from tests.servers import Broker, Postgres, wait_until

OPEN = "SELECT count(*)::int AS n FROM jobs WHERE state IN ('queued', 'running') AND class = 'invoke'"
PAST_APP = "fn-1"
"""One of the functions that past jobs belong to."""


class LoadedNorn:
    """A Norn with one function, `thumb`, and `past` past jobs of other functions."""

    def __init__(self, home: Path, *, workers: int, slots: int, past: int, waiting: int) -> None:
        self.postgres, self.broker = Postgres(home / "pg", fsync="on"), Broker(home / "broker")
        self.postgres.execute("CREATE DATABASE norn")
        url = self.postgres.url("norn")
        migrate.upgrade(url)
        self.workers = [f"invoke-{n}" for n in range(workers)]
        self.stack = Stack(
            home, url, self.broker.url, NORN_TEST_BUILD="1", NORN_NOOP_RUNTIME="1", NORN_WORKERS_INVOKE=str(slots),
            NORN_ASYNC_WAITING=str(waiting),
        )  # fmt: skip
        database = Database(url, pool=1)
        ensure_bootstrap(database, home / "token")
        at_once = workers * slots
        factories.add_live(database, "thumb", more=f"function: {{concurrency: {at_once}}}\n", at_once=at_once)
        factories.add_live(database, PAST_APP)
        with database.transaction() as tx:
            tx.execute(update(ReleaseRow).values(engine=IDENTITY))
        if past:
            ledger_kit.fill(database, past=past, ready=0, apps=0)
        database.dispose()

    def start(self) -> None:
        """Starts the processes."""
        self.stack.start("api", "beat")
        for name in self.workers:
            self.stack.spawn("invoke", name)
        known = "SELECT 1 FROM workers WHERE class = 'invoke'"
        wait_until(lambda: len(self.stack.rows(known)) == len(self.workers), 120, "the workers have reported")

    def open(self) -> int:
        """Returns how many calls have not ended."""
        return int(self.stack.rows(OPEN)[0]["n"])

    def ends(self) -> dict[str, int]:
        """Returns how many calls ended in each state."""
        query = "SELECT state, count(*)::int AS n FROM func_executions GROUP BY state"
        return {row["state"]: row["n"] for row in self.stack.rows(query)}

    def ended(self) -> set[int]:
        """Returns the ids of the calls that have ended."""
        return {row["id"] for row in self.stack.rows("SELECT id FROM func_executions WHERE finished_at IS NOT NULL")}

    def begun_twice(self) -> int:
        """Returns for how many calls the code has begun more than once."""
        return int(self.stack.rows("SELECT count(*)::int AS n FROM jobs WHERE runs > 1")[0]["n"])

    def pids(self) -> dict[str, list[int]]:
        """Returns the pids of the processes by kind."""
        found = {name: [process.pid] for name, process in self.stack.processes.items() if name in ("api", "beat")}
        return {**found, "workers": [self.stack.processes[name].pid for name in self.workers],
                "postgres": [self.postgres.process.pid]}  # fmt: skip

    def stop(self) -> None:
        """Ends everything."""
        self.stack.stop()
        self.broker.stop()
        self.postgres.stop()


@contextmanager
def loaded(*, workers: int, slots: int, past: int = 0, waiting: int = 10**6) -> Iterator[LoadedNorn]:
    """Runs a Norn in a directory of its own until the block ends."""
    home = Path(tempfile.mkdtemp(prefix="norn-bench-"))
    home.chmod(0o755)
    norn = LoadedNorn(home, workers=workers, slots=slots, past=past, waiting=waiting)
    try:
        norn.start()
        yield norn
    finally:
        norn.stop()
        shutil.rmtree(home, ignore_errors=True)
