"""The liveness check of a worker: a worker is sick if it is idle although work that it could take is waiting.

A worker that no longer gets messages from the broker looks healthy in every process list. Only a sick worker is
restarted: it drains first, and its supervisor starts it again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.queue import readiness

log = structlog.get_logger()
PATIENCE = 30.0
"""Seconds for which ready work may wait while a worker is idle."""


def end_myself() -> None:
    """Asks Celery to shut this process down: it drains, and then exits."""
    os.kill(os.getpid(), signal.SIGTERM)


@dataclass
class Liveness:
    """The liveness check of one worker; it calls `restart` at most once."""

    database: Database
    live: Live
    name: str
    job_class: JobClass
    restart: Callable[[], None] = end_myself
    patience: float = PATIENCE
    _started: float = field(default_factory=time.monotonic)
    _restarted: bool = False

    def look(self) -> None:
        """Restarts the worker if it is sick; raises DatabaseDown, which does not count as sick."""
        waited = self._idle_while_work_waits()
        if waited is None or self._restarted or not self.live.answers():
            return
        self._restarted = True
        log.error("worker is sick: it takes no work", worker=self.name, oldest_seconds=round(waited))
        self.restart()

    def _idle_while_work_waits(self) -> float | None:
        """Returns for how many seconds the oldest job that this worker could take has waited; None if the worker is not
        sick.

        Work that it cannot take is no reason for a restart: its engine may be unreachable, or refused.
        """
        if time.monotonic() - self._started < self.patience:
            return None
        with self.database.transaction() as tx:
            if not workers.idle(tx, self.name, self.patience):
                return None
            capabilities = workers.capabilities_of(tx, self.name)
            waiting = [w.oldest for w in readiness.startable(tx, capabilities) if w.job_class is self.job_class]
        return next((oldest for oldest in waiting if oldest >= self.patience), None)
