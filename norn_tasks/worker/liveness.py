"""The liveness check of a worker: it is sick when it is idle, and work that it could take waits.

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
"""Seconds that ready work may wait while a worker is free."""


def end_myself() -> None:
    """Asks Celery for a warm shutdown of this process: draining, then gone."""
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
        """Restarts the worker if it is sick; raises DatabaseDown, which does not make it sick."""
        waited = self._idle_while_work_waits()
        if waited is None or self._restarted or not self.live.answers():
            return
        self._restarted = True
        log.error("worker is sick: it takes no work", worker=self.name, oldest_seconds=round(waited))
        self.restart()

    def _idle_while_work_waits(self) -> float | None:
        """Returns the seconds for which the oldest job that this worker could take has waited; None if all is well.

        Work that it cannot take is no reason for a restart: the worker's engine may be away, or be refused.
        """
        if time.monotonic() - self._started < self.patience:
            return None
        with self.database.transaction() as tx:
            if not workers.idle(tx, self.name, self.patience):
                return None
            capabilities = workers.capabilities_of(tx, self.name)
            waiting = [w.oldest for w in readiness.startable(tx, capabilities) if w.job_class is self.job_class]
        return next((oldest for oldest in waiting if oldest >= self.patience), None)
