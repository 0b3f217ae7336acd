"""The peers: queues from PyPI as their documentation sets them up, each with two workers of eight slots.

A job of a durable peer has ended when the peer's own table says so, at the time recorded there. The other peers keep no
record: there a job has ended when its code ran, which is in their favour.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.processes import Program
from tests.benchmarks.queue.counting import rows
from tests.benchmarks.queue.peer_worker import SENDERS
from tests.benchmarks.queue.subject import Send, Stores

WORKERS = 2
ENDS = {
    "procrastinate": """SELECT job_id::text, extract(epoch FROM at)::float8
        FROM procrastinate_events e JOIN procrastinate_jobs j ON j.id = e.job_id
       WHERE type = 'succeeded' AND task_name = 'noop'""",
    "pgqueuer": """SELECT job_id::text, extract(epoch FROM created)::float8
        FROM pgqueuer_log WHERE status = 'successful'""",
    "dbos": """SELECT workflow_uuid, updated_at / 1000.0::float8
        FROM dbos.workflow_status WHERE status = 'SUCCESS'""",
}
"""For each durable peer, the query that returns id and time of each end."""
DURABLE = tuple(ENDS)
ALL = (*DURABLE, "dramatiq", "celery")


class Peer:
    """A queue from PyPI: a durable one is in PostgreSQL, the others are in the broker, which keeps nothing on disk."""

    def __init__(self, stores: Stores, name: str) -> None:
        self.name, self.version, self.durable = name, version(name), name in DURABLE
        self.database = name if self.durable else "postgres"
        self._home, self._postgres = stores.home, stores.postgres
        self.url = stores.postgres.url(name) if self.durable else stores.broker.url
        self._file = stores.home / f"{name}.ran"
        self._file.touch()
        self._programs: list[Program] = []
        self._ids: dict[str, str] = {}
        if self.durable:
            stores.postgres.execute(f"CREATE DATABASE {name}")
            assert self._run("prepare", 0).wait() == 0, (self._home / f"{name}-prepare.log").read_text()[-2000:]

    def _run(self, what: str, n: int) -> Program:
        argv = [sys.executable, "-m", "tests.benchmarks.queue.peer_worker", self.name, what, self.url, str(self._file)]
        # DBOS restores the jobs of a dead process when a process with the same name starts.
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "DBOS__VMID": f"worker-{n}"}
        return Program(argv, self._home, f"{self.name}-{what}", environment)

    def sender(self) -> Send:
        """Returns a function that sends one job; each thread has its own."""
        own = SENDERS[self.name](self.url)

        def send(n: int) -> str:
            job = self._ids[str(n)] = own(n)
            return job

        return send

    def start(self) -> None:
        """Starts two workers."""
        self._programs = [self._run("work", n) for n in range(WORKERS)]

    def pids(self) -> list[int]:
        """Returns the pids of the workers."""
        return [program.pid for program in self._programs]

    def others(self) -> list[int]:
        """Returns nothing: a peer has only workers."""
        return []

    def replace(self, n: int) -> None:
        """Kills a worker, and starts another one."""
        self._programs[n % WORKERS].kill()
        self._programs[n % WORKERS] = self._run("work", n % WORKERS)

    def supervise(self) -> None:
        """Starts each worker again that has ended by itself."""
        for n, program in enumerate(self._programs):
            if program.ended:
                self._programs[n] = self._run("work", n)

    def ended(self) -> int:
        """Returns how many jobs have ended: for a durable peer the number of rows, otherwise the number of distinct
        jobs that ran.
        """
        if not self.durable:
            return len(self.begins())
        return int(rows(self._postgres, self.database, f"SELECT count(*) FROM ({ENDS[self.name]}) e")[0][0])

    def ends(self) -> Mapping[str, float]:
        """Returns when each job has ended, by id: from the table of a durable peer, otherwise when its code ran."""
        if not self.durable:
            return {n: float(at) for n, at in self._lines()}
        return {str(job): float(at) for job, at in rows(self._postgres, self.database, ENDS[self.name])}

    def _lines(self) -> list[tuple[str, str]]:
        return [(n, at) for n, at in (line.split() for line in self._file.read_text().splitlines())]

    def begins(self) -> Mapping[str, int]:
        """Counts how often the code of each job ran."""
        return Counter(self._ids.get(n, "") for n, _ in self._lines())

    def failed(self) -> int:
        """Returns 0: the code of a job never fails."""
        return 0

    def stop(self) -> None:
        """Ends the workers."""
        for program in self._programs:
            program.stop()
        self._programs = []
