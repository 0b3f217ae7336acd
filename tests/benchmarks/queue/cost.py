"""`python -m tests.benchmarks.queue.cost`: measures the cost of an asynchronous call at each stage; prints a table and
a JSON object.

A client accepts calls as the API does, and a worker carries them out as the runner does, without containers, on a
PostgreSQL with fsync on. One call runs after the other, or eight run together as in a worker whose slots are full;
waiting for the locks of other workers is not measured. The statements are counted in a separate run, because the
server's log costs CPU.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import update

from norn_tasks.adapters.runtimes.noop import IDENTITY
from norn_tasks.dispatch import open_intake, request_grouped_invoke
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.container import ContainerRef
from norn_tasks.domain.jobs.execution import ContainerExit, ExecutionState, ExecutionVerdict
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import ExecutionFinished
from norn_tasks.settings import Settings
from norn_tasks.store.apps import registry
from norn_tasks.store.database import migrate
from norn_tasks.store.database.opening import open_for_jobs, open_for_requests
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take, take_together
from norn_tasks.store.queue.claims import Claimer
from norn_tasks.store.tables import ReleaseRow
from tests import factories
from tests.benchmarks.queue.counting import LOGGED, ServerLog, server_cpu, since, wal_flushes, wal_position
from tests.benchmarks.tables import markdown
from tests.servers import Broker, Postgres

APP, AT_ONCE = "noop", 8
STAGES = ("accept", "claim", "begin", "end", "empty claim")
CAPABILITIES = factories.capabilities(IDENTITY)
_DONE = ExecutionVerdict(ExecutionState.SUCCEEDED, ContainerExit(0))
_END = StepEnd(
    StepState.SUCCEEDED, Learned(writes=(ExecutionFinished(_DONE),), note="succeeded"), ends=JobState.SUCCEEDED
)


class Costs:
    """The costs of one stage, added up over all jobs."""

    def __init__(self) -> None:
        self.statements = self.round_trips = self.commits = self.wal = 0
        self.server = self.client = self.wall = 0

    def row(self, stage: str, jobs: int, logged: int) -> dict[str, object]:
        """Returns the mean costs of a job; `logged` is the number of jobs whose statements were counted."""
        return {
            "stage": stage,
            "statements": round(self.statements / logged, 1),
            "round_trips": round(self.round_trips / logged, 1),
            "commits": round(self.commits / logged, 1),
            "wal_bytes": round(self.wal / jobs),
            "postgres_ms": round(self.server / jobs / 1e6, 2),
            "norn_ms": round(self.client / jobs / 1e6, 2),
            "wall_ms": round(self.wall / jobs / 1e6, 2),
        }


def _accepting(url: str, broker_url: str, asked: Connection) -> None:
    """Accepts calls in a process that waits for PostgreSQL as the API does: for each number that it receives from
    `asked`, it accepts that many calls and sends back the nanoseconds of its CPU time. It ends at the number 0.
    """
    settings = Settings(database_url=url, broker_url=broker_url, async_waiting=10**7)
    intake = open_intake(open_for_requests(settings), settings)
    with intake.database.transaction() as tx:
        live = registry.live_function(tx, APP)
    assert live is not None, "it was made before"
    while count := asked.recv():
        began = time.process_time_ns()
        for _ in range(count):
            request_grouped_invoke(intake, APP, live, call=Call("POST", "/", "", {}, "", b"x"), actor="bench")
        asked.send(time.process_time_ns() - began)
    intake.database.dispose()


class Bench:
    """A client and a worker, and the stores that both use. With `together`, all threads of the worker run jobs at the
    same time; without it, one job runs after the other.
    """

    def __init__(self, home: Path, *, together: bool = False) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE) if together else None
        self._each: Callable[..., Iterable[object]] = map if self._threads is None else self._threads.map
        self.postgres, self.broker = Postgres(home / "pg", fsync="on", **LOGGED), Broker(home / "broker")
        self.postgres.execute("CREATE DATABASE norn")
        url = self.postgres.url("norn")
        migrate.upgrade(url)
        self.database = open_for_jobs(Settings(database_url=url, broker_url=self.broker.url), "bench", AT_ONCE)
        self.ledger = Ledger(self.database, patience=0)
        self._prepare()
        here, there = multiprocessing.get_context("spawn").Pipe()
        self._accepter = multiprocessing.get_context("spawn").Process(
            target=_accepting, args=(url, self.broker.url, there), daemon=True
        )
        self._accepter.start()
        self._asked = here
        self._log = ServerLog(self.postgres)

    def _prepare(self) -> None:
        database = Database(self.database.url, pool=1)
        factories.add_live(database, APP, more=f"function: {{concurrency: {AT_ONCE}}}\n", at_once=AT_ONCE)
        with database.transaction() as tx:
            tx.execute(update(ReleaseRow).values(engine=IDENTITY))
        database.dispose()

    def flushes(self) -> int:
        """Ends all sessions, because each reports its waits only when it ends; returns how often the server has waited
        for the disk.
        """
        self._asked.send(0)
        self._accepter.join(10)
        self.database.dispose()
        return wal_flushes(self.postgres)

    def stop(self) -> None:
        """Ends its processes."""
        self._accepter.terminate()
        self.broker.stop()
        self.postgres.stop()

    def quiet(self) -> None:
        """Lets the server log no more statements."""
        self.postgres.execute("ALTER SYSTEM SET log_statement = 'none'")
        self.postgres.execute("SELECT pg_reload_conf()")

    def round(self, costs: dict[str, Costs], *, logged: bool) -> None:
        """Carries AT_ONCE calls, as many as a worker runs at the same time, through all stages, and adds the costs of
        each stage to `costs`. With `logged`, only the statements are counted.
        """
        jobs: list[Job] = []
        stages: tuple[tuple[str, Callable[[], int]], ...] = (
            ("accept", self._accept),
            ("claim", lambda: _timed(lambda: jobs.extend(self._claims()))),
            ("begin", lambda: _timed(lambda: list(self._each(self._begin, jobs)))),
            ("end", lambda: _timed(lambda: list(self._each(self._end, jobs)))),
            ("empty claim", lambda: _timed(lambda: [self._nothing() for _ in range(AT_ONCE)])),
        )
        for name, stage in stages:
            self._measure(costs[name], stage, logged=logged)
        assert len(jobs) == AT_ONCE, "not all jobs were ready"

    def _measure(self, cost: Costs, stage: Callable[[], int], *, logged: bool) -> None:
        if logged:
            self._log.asked()
            stage()
            asked = self._log.asked()
            cost.statements += asked.statements
            cost.round_trips += asked.round_trips
            cost.commits += asked.commits
            return
        wal, cpu, began = wal_position(self.postgres), server_cpu(self.postgres), time.perf_counter_ns()
        cost.client += stage()
        cost.wall += time.perf_counter_ns() - began
        cost.server += since(cpu, server_cpu(self.postgres))
        cost.wal += wal_position(self.postgres) - wal

    def _accept(self) -> int:
        self._asked.send(AT_ONCE)
        return int(self._asked.recv())

    def _claimer(self) -> Claimer:
        return Claimer("bench", JobClass.INVOKE, IDENTITY, 30, 5, CAPABILITIES, CAPABILITIES)

    def _claims(self) -> list[Job]:
        if self._threads is not None:
            return list(take_together(self.database, self._claimer(), AT_ONCE, lambda _kind, _app: True).jobs)
        return [job for _ in range(AT_ONCE) if (job := take(self.database, self._claimer())) is not None]

    def _nothing(self) -> None:
        assert take(self.database, self._claimer()) is None, "something was ready"

    def _begin(self, job: Job) -> None:
        self.ledger.begin_code(job.fence, 0, ContainerRef("docker", IDENTITY, f"norn-{job.id}"))

    def _end(self, job: Job) -> None:
        self.ledger.end_step(job.fence, _PLACE, _END, run_of=job.kind)


_PLACE = StepPosition(1, "run-container")


def _timed(do: Callable[[], object]) -> int:
    began = time.process_time_ns()
    do()
    return time.process_time_ns() - began


def main() -> None:
    """Measures the cost of every stage, and prints a table and a JSON object."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.queue.cost")
    parser.add_argument("--jobs", type=int, default=400, help="calls whose CPU time is measured (400)")
    parser.add_argument("--together", action="store_true", help=f"run {AT_ONCE} jobs at once in {AT_ONCE} threads")
    asked = parser.parse_args()
    rounds, counted = max(1, asked.jobs // AT_ONCE), 5
    costs = {stage: Costs() for stage in STAGES}
    with _running(together=asked.together) as bench:
        for _ in range(3):  # opens connections, compiles statements and fills caches
            bench.round({stage: Costs() for stage in STAGES}, logged=False)
        for _ in range(counted):
            bench.round(costs, logged=True)
        bench.quiet()
        bench.postgres.execute("CHECKPOINT")
        bench.round({stage: Costs() for stage in STAGES}, logged=False)
        for _ in range(rounds):
            bench.round(costs, logged=False)
        flushes = bench.flushes()
    rows = [costs[stage].row(stage, rounds * AT_ONCE, counted * AT_ONCE) for stage in STAGES]
    print(
        f"{rounds * AT_ONCE} calls, {os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL fsync on\n"
    )
    waits = round(flushes / ((3 + counted + 1 + rounds) * AT_ONCE), 1)
    print(table(rows), f"PostgreSQL waited for the disk {waits} times for a call.", sep="\n\n", end="\n\n")
    print(json.dumps({"bench": "queue-cost", "jobs": rounds * AT_ONCE, "disk_waits": waits, "rows": rows}))


@contextmanager
def _running(*, together: bool) -> Iterator[Bench]:
    home = Path(tempfile.mkdtemp(prefix="norn-bench-"))
    home.chmod(0o755)
    bench = Bench(home, together=together)
    try:
        yield bench
    finally:
        bench.stop()
        shutil.rmtree(home, ignore_errors=True)


HEAD = (
    "stage",
    "statements",
    "round trips",
    "commits",
    "WAL bytes",
    "CPU of PostgreSQL",
    "CPU of Norn",
    "wall",
)


def table(rows: list[dict[str, object]]) -> str:
    """Returns the rows as a table, and the sum of a call's own stages."""
    own = [row for row in rows if row["stage"] != "empty claim"]
    total = {key: round(sum(float(str(row[key])) for row in own), 2) for key in rows[0] if key != "stage"}
    return markdown([HEAD, *(_line(row) for row in [*own, {"stage": "a call", **total}, rows[-1]])])


def _line(row: dict[str, object]) -> list[str]:
    ms = ("postgres_ms", "norn_ms", "wall_ms")
    return [f"{value:.2f} ms" if key in ms else f"{value:,}" if key == "wal_bytes" else str(value)
            for key, value in row.items()]  # fmt: skip


if __name__ == "__main__":
    main()
