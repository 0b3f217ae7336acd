"""The liveness check of a worker: a worker is sick if it is idle although work that it could take is waiting.

A worker that no longer gets messages from the broker looks healthy in every process list. Only a sick worker is
restarted: it drains first, and its supervisor starts it again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database, Tx
from norn_tasks.store.fleet import workers as fleet
from norn_tasks.store.queue import readiness

log = structlog.get_logger()
PATIENCE = 30.0
"""Seconds for which ready work may wait while a worker is idle."""


def end_myself() -> None:
    """Asks Celery to shut this process down: it drains, and then exits."""
    os.kill(os.getpid(), signal.SIGTERM)


@dataclass
class Liveness:
    """The liveness check of one worker in one class; it calls `restart` at most once."""

    database: Database
    live: Live
    name: str
    job_class: JobClass
    restart: Callable[[], None] = end_myself
    patience: float = PATIENCE
    slots: int = 1
    _started: float = field(default_factory=time.monotonic)
    _restarted: bool = False

    def look(self) -> None:
        """Restarts the worker if it is sick; raises DatabaseDown, which does not make it sick."""
        look([self])

    @property
    def old_enough(self) -> bool:
        """True when the worker has been there for as long as work may wait."""
        return time.monotonic() - self._started >= self.patience

    def judge(self, waited: float | None) -> None:
        """Restarts the worker if work that it could take has waited longer than `patience` although it is idle."""
        if waited is None or waited < self.patience or self._restarted or not self.live.answers():
            return
        self._restarted = True
        log.error("worker is sick: it takes no work", worker=self.name, oldest_seconds=round(waited))
        self.restart()


def look(workers: Sequence[Liveness]) -> None:
    """Restarts each worker of this process that is sick, in one transaction; raises DatabaseDown.

    Work that a worker cannot take is no reason for a restart: its engine may be away, or be refused. All workers of a
    process have the same engines.
    """
    old = {each.name: each for each in workers if each.old_enough}
    if not old:
        return
    with workers[0].database.transaction() as tx:
        idle = fleet.idle(tx, {name: each.patience for name, each in old.items()})
        oldest = _oldest_ready(tx, idle) if idle else {}
    for name in idle:
        old[name].judge(oldest.get(old[name].job_class))


def _oldest_ready(tx: Tx, idle: Sequence[str]) -> dict[JobClass, float]:
    capabilities = fleet.capabilities_of(tx, idle[0])
    return {work.job_class: work.oldest for work in readiness.startable(tx, capabilities)}
