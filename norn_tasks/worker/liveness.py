"""Liveness by function: a worker is sick when work that it could take waits and it takes none. Busy is never sick.

A consumer that lost its place at the broker looks healthy in every process list. Only a sick worker is restarted: it
drains first, and whoever supervises it starts it again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from norn_tasks.domain.job import JobClass
from norn_tasks.store import engines, sweeper, workers
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database

log = structlog.get_logger()
PATIENCE = 30.0
"""Seconds that ready work may wait beside a free worker."""


def end_myself() -> None:
    """Asks Celery for a warm shutdown of this process: draining, then gone."""
    os.kill(os.getpid(), signal.SIGTERM)


@dataclass
class Liveness:
    """Looks after one worker; `restart` is called at most once."""

    database: Database
    live: Live
    name: str
    job_class: JobClass
    restart: Callable[[], None] = end_myself
    patience: float = PATIENCE
    _started: float = field(default_factory=time.monotonic)
    _restarted: bool = False

    def look(self) -> None:
        """Restarts the worker when it is sick; raises DatabaseDown, which is no sickness."""
        waited = self._idle_while_work_waits()
        if waited is None or self._restarted or not self.live.answers():
            return
        self._restarted = True
        log.error("worker is sick: it takes no work", worker=self.name, oldest_seconds=round(waited))
        self.restart()

    def _idle_while_work_waits(self) -> float | None:
        """Answers how long the oldest job waits that this worker could have taken, when that is too long.

        One without an engine, or whose engine is refused, takes none: a restart would not help.
        """
        if time.monotonic() - self._started < self.patience:
            return None
        with self.database.transaction() as tx:
            if not workers.idle(tx, self.name, self.patience):
                return None
            engine = workers.engine_of(tx, self.name)
            if engine is None:
                return None
            places = engines.standing_of(tx, engine).places(engine)
            waiting = [w.oldest for w in sweeper.waiting(tx, places) if w.job_class is self.job_class]
        return next((oldest for oldest in waiting if oldest >= self.patience), None)
