"""The other queues: packages from PyPI that are set up as their documentation says, each with two workers that run
eight jobs each.

A job appends its number and the time to a file. The file is written before the queue knows that the job has ended,
which favours the other queues.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.processes import Program
from tests.benchmarks.queue.peer_worker import SENDERS
from tests.benchmarks.queue.subject import Send, Stores

WORKERS = 2
DURABLE = ("procrastinate", "pgqueuer", "dbos")
ALL = (*DURABLE, "dramatiq", "celery")


class Peer:
    """A queue from PyPI. A durable one keeps its jobs in PostgreSQL; the others keep them in the broker, which writes
    nothing to disk.
    """

    def __init__(self, stores: Stores, name: str) -> None:
        self.name, self.version, self.durable = name, version(name), name in DURABLE
        self._home = stores.home
        self.url = stores.postgres.url(name) if self.durable else stores.broker.url
        self._file = stores.home / f"{name}.ends"
        self._file.touch()
        self._programs: list[Program] = []
        if self.durable:
            stores.postgres.execute(f"CREATE DATABASE {name}")
            assert self._run("prepare").wait() == 0, (self._home / f"{name}-prepare.log").read_text()[-2000:]

    def _run(self, what: str) -> Program:
        argv = [sys.executable, "-m", "tests.benchmarks.queue.peer_worker", self.name, what, self.url, str(self._file)]
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        return Program(argv, self._home, f"{self.name}-{what}", environment)

    def sender(self) -> Send:
        """Returns a function that sends one job; each thread has its own."""
        return SENDERS[self.name](self.url)

    def start(self) -> None:
        """Starts two workers."""
        self._programs = [self._run("work") for _ in range(WORKERS)]

    def pids(self) -> list[int]:
        """Returns the pids of the workers."""
        return [program.pid for program in self._programs]

    def ends(self) -> Mapping[int, float]:
        """Returns when each job ran."""
        lines = (line.split() for line in self._file.read_text().splitlines())
        return {int(n): float(at) for n, at in lines}

    def stop(self) -> None:
        """Ends the workers."""
        for program in self._programs:
            program.stop()
        self._programs = []
