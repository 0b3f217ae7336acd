"""Norn as it is measured: its scheduler, and cron workers that run nothing. The ledger of occurrences holds the
result.
"""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import update

from norn_tasks.adapters.runtimes.noop import IDENTITY
from norn_tasks.domain.infraspec import parse
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.schedule import NOBODY_DECIDED
from norn_tasks.store.cron import schedules
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from norn_tasks.store.queue import slots
from norn_tasks.store.tables import ReleaseRow
from tests import factories
from tests.benchmarks.cron.clones import clone
from tests.benchmarks.cron.figures import Counted, Runs
from tests.benchmarks.cron.subject import EDITS, MINUTE
from tests.benchmarks.processes import cpu_seconds
from tests.e2e.stack import Stack
from tests.servers import Broker, Postgres

WORKERS = ("cron", "cron-2")
DRAIN_SECONDS = 90
"""Seconds that the runs of the last minute may take after the measured minutes."""

_WITHIN = "scheduled_for >= to_timestamp(%s) AND scheduled_for < to_timestamp(%s) AND app NOT LIKE 'edited%%'"
_TICKS = f"""
SELECT coalesce(sum(how_many) FILTER (WHERE verdict IN ('fired', 'caught_up')), 0)::int AS fired,
       coalesce(sum(how_many) FILTER (WHERE verdict = 'skipped_overlap'
                                         OR verdict = 'missed' AND reason <> %s), 0)::int AS skipped
  FROM cron_ticks WHERE {_WITHIN}"""
# When a run is moved to the next occurrence, its row is written a second time, so the time of the last commit is too
# late. For such rows `decided_at` counts.
_LAGS = f"""
SELECT extract(epoch FROM CASE WHEN verdict IN ('fired', 'skipped_overlap') THEN pg_xact_commit_timestamp(xmin)
                               ELSE decided_at END - scheduled_for)::float8 AS lag
  FROM cron_ticks WHERE {_WITHIN}"""
_DOUBLED = f"""
SELECT coalesce(sum(n - 1), 0)::int AS doubled FROM (
  SELECT count(*) AS n FROM cron_executions WHERE {_WITHIN} GROUP BY app, scheduled_for HAVING count(*) > 1) t"""
_ENDS = f"""
SELECT state, count(*)::int AS count FROM cron_executions WHERE {_WITHIN} GROUP BY state"""
_RUNS = f"""
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY begun_at - scheduled_for) AS p50,
       percentile_disc(0.99) WITHIN GROUP (ORDER BY begun_at - scheduled_for) AS p99,
       max(finished_at - scheduled_for) AS done FROM cron_executions WHERE {_WITHIN}"""
_FROM_NOW = """
UPDATE cron_states SET anchor = m, decided_until = m + '59 s', next_due = m + '1 min'
  FROM date_trunc('minute', clock_timestamp()) m WHERE app LIKE 's%%' RETURNING 1"""
_BUSY = "SELECT 1 FROM jobs WHERE class = 'cron' AND state IN ('queued', 'running') LIMIT 1"


class Norn:
    """Norn on a PostgreSQL and a broker of its own."""

    name, edit_by, edits_live = "norn", "", True

    def __init__(self, home: Path, broker: Broker, postgres: Postgres) -> None:
        self.version = version("norn")
        self._postgres = postgres
        broker.client().flushall()
        postgres.execute("DROP DATABASE IF EXISTS norn WITH (FORCE)")
        postgres.execute("CREATE DATABASE norn")
        url = postgres.url("norn")
        migrate.upgrade(url)
        self._database = Database(url, pool=2)
        self._stack = Stack(home, url, broker.url, NORN_TEST_BUILD="1", NORN_NOOP_RUNTIME="1", NORN_WORKERS_CRON="8")
        self._cpu: tuple[float, float] = (0.0, 0.0)
        self._every = MINUTE

    def prepare(self, count: int, every: int) -> None:
        """Makes one app by the functions of the store, and the other apps as clones of its rows."""
        self._every = every
        self._add("s0", "* * * * *" if every == MINUTE else f"@every {every}s")
        clone(self._stack, "s0", count)
        for n in range(EDITS):
            self._add(f"edited-{n}", "0 0 1 1 *")
        self._postgres.execute("CHECKPOINT")
        self._rows("ANALYZE; SELECT 1")

    def _add(self, app: str, schedule: str) -> None:
        wanted = parse(f"app: {app}\nrole: cron\nschedule: '{schedule}'\n")
        with self._database.transaction() as tx:
            factories.add_app(tx, wanted)
            factories.add_release(tx, wanted)
            tx.execute(update(ReleaseRow).where(ReleaseRow.app == app).values(engine=IDENTITY))
            schedules.register(tx, app, schedule, "UTC", 1)
            slots.resize(tx, JobClass.CRON, app, 1)
            schedules.awaken(tx, app)

    def _rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        return self._stack.rows(query, *values)

    def start(self) -> None:
        """Starts the workers and the scheduler. The schedules are new, so that no missed occurrence has to be made up
        for.
        """
        self._rows(_FROM_NOW)
        for name in WORKERS:
            self._stack.spawn("cron", name)
        self._stack.spawn("beat")

    def cpu(self) -> float:
        """Returns the CPU seconds of the scheduler. The first call also records those of the workers and of PostgreSQL,
        from which `stop` computes what they used.
        """
        if self._cpu == (0.0, 0.0):
            self._cpu = self._others()
        return cpu_seconds(self._stack.processes["beat"].pid)

    def _others(self) -> tuple[float, float]:
        workers = sum(cpu_seconds(self._stack.processes[name].pid) for name in WORKERS)
        return workers, cpu_seconds(self._postgres.process.pid)

    def edit(self, n: int, patience: float) -> float | None:
        """Overrides the schedule in the same way as the API does. Returns the seconds until it fires for the first
        time; None if it does not fire in time.
        """
        app = f"edited-{n}"
        with self._database.transaction() as tx:
            schedules.override(tx, app, "@every 1s", None, "bench")
        edited = time.time()
        tick = self._first_tick(app, edited, patience)
        with self._database.transaction() as tx:
            schedules.clear_override(tx, app, "bench")
        return tick

    def _first_tick(self, app: str, edited: float, patience: float) -> float | None:
        query = "SELECT 1 FROM cron_ticks WHERE app = %s AND verdict = 'fired' LIMIT 1"
        while time.time() < edited + patience:
            if self._rows(query, app):
                return time.time() - edited
            time.sleep(0.02)
        return None

    def stop(self) -> None:
        """Stops the scheduler, and lets the workers finish the runs that it started."""
        self._stack.kill("beat")
        end = time.time() + DRAIN_SECONDS
        while self._rows(_BUSY) and time.time() < end:
            time.sleep(0.5)
        before, after = self._cpu, self._others()
        self._cpu = (after[0] - before[0], after[1] - before[1])

    def count(self, first: int, minutes: int) -> Counted:
        """Counts the recorded occurrences. The lag of an occurrence ends with the commit that wrote its row (for
        exceptions see _LAGS).
        """
        window = (first, first + minutes * MINUTE)
        fired, skipped = self._rows(_TICKS, NOBODY_DECIDED, *window)[0].values()
        expected = self._rows("SELECT count(*)::int AS n FROM cron_states WHERE app LIKE 's%%'")[0]["n"]
        expected *= minutes * MINUTE // self._every
        return Counted(
            fired=fired, skipped=skipped, missing=expected - fired - skipped,
            doubled=self._rows(_DOUBLED, *window)[0]["doubled"],
            lags=[row["lag"] for row in self._rows(_LAGS, *window)],
        )  # fmt: skip

    def runs(self, first: int, minutes: int) -> Runs:
        """Counts the runs by how they ended."""
        window = (first, first + minutes * MINUTE)
        ends = {row["state"]: row["count"] for row in self._rows(_ENDS, *window)}
        took = self._rows(_RUNS, *window)[0]
        succeeded = ends.pop("succeeded", 0)
        p50, p99, done = (took[each].total_seconds() if took[each] else 0.0 for each in ("p50", "p99", "done"))
        return Runs(succeeded, ends, p50, p99, done, *self._cpu)

    def close(self) -> None:
        """Ends everything."""
        self._stack.stop()
        self._database.dispose()
