"""A queue under measurement: it accepts no-op jobs and runs them in worker processes of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.servers import Broker, Postgres

Send = Callable[[int], str]
"""Sends the job with this number; returns the queue's own id of the job once the queue has accepted it."""


@dataclass(frozen=True)
class Stores:
    """The stores that all queues share, each with a database of its own, and a directory for files."""

    home: Path
    postgres: Postgres
    broker: Broker


class Subject(Protocol):
    """A queue under measurement. If it is `durable`, its jobs and their ends are rows of PostgreSQL."""

    name: str
    version: str
    durable: bool
    database: str

    def sender(self) -> Send:
        """Returns a function that sends one job; each thread has its own."""

    def start(self) -> None:
        """Starts the workers, and the other processes of the queue, if it has any."""

    def pids(self) -> list[int]:
        """Returns the pids of the processes that run jobs."""

    def others(self) -> list[int]:
        """Returns the pids of the other processes of the queue, such as those that only schedule."""

    def replace(self, n: int) -> None:
        """Kills the n-th worker with SIGKILL, and starts another one in its place."""

    def supervise(self) -> None:
        """Starts processes again that have ended by themselves, as a supervisor would."""

    def ended(self) -> int:
        """Returns how many jobs have ended since the queue was made, as the queue itself has recorded it."""

    def ends(self) -> Mapping[str, float]:
        """Returns when each job has ended, by its id: the queue's own record, or if it has none, when its code ran."""

    def begins(self) -> Mapping[str, int]:
        """Returns how often the code of each job has begun."""

    def failed(self) -> int:
        """Returns how many jobs have ended without success."""

    def stop(self) -> None:
        """Ends the workers."""
