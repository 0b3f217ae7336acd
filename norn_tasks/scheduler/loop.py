"""Beat's loop: decides what is due, wakes workers for work that waits, sweeps what is stuck, asks for a look around.

It sleeps until the next due moment, or until the database says that a schedule has changed. Any number of loops may
run beside each other: rows are locked with SKIP LOCKED, an occurrence is unique, a second sweep finds nothing.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field

import structlog

from norn_tasks.celery_app import Waker
from norn_tasks.dispatch import Intake, request_look
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.job import JobClass
from norn_tasks.scheduler.nudges import Nudges
from norn_tasks.settings import Settings
from norn_tasks.store import sweeper, ticks, workers
from norn_tasks.store.live import Live
from norn_tasks.store.session import SCHEDULES, Database, Listener

log = structlog.get_logger()
NUDGE_SECONDS, SWEEP_SECONDS, LOOK_SECONDS = 1.0, 5.0, 15.0
LONGEST_SLEEP = 1.0


@dataclass
class _Every:
    """A thing that is done so often."""

    seconds: float
    last: float = field(default=float("-inf"))

    def due(self) -> bool:
        """True once in so many seconds."""
        now = time.monotonic()
        if now - self.last < self.seconds:
            return False
        self.last = now
        return True


class BeatLoop:
    """One beat. `turn()` does what is to be done and sleeps until there is more, at most a second."""

    def __init__(self, database: Database, settings: Settings, waker: Waker, live: Live) -> None:
        self.name = f"beat@{socket.gethostname()}:{os.getpid()}"
        self._database, self._settings, self._waker, self._live = database, settings, waker, live
        self._intake = Intake(database, settings, waker, live)
        self._nudges = Nudges(waker)
        self._listener: Listener | None = None
        self._nudge, self._sweep = _Every(NUDGE_SECONDS), _Every(SWEEP_SECONDS)
        self._look = _Every(LOOK_SECONDS)
        self._lag = 0.0

    def turn(self) -> None:
        """Does one round; while PostgreSQL is away it says so once a second."""
        try:
            self._decide()
            self._housekeeping()
            self._sleep()
        except DatabaseDown as error:
            log.warning("beat cannot reach the database", error=error.sentence)
            self._drop_listener()
            time.sleep(LONGEST_SLEEP)

    def _decide(self) -> None:
        """Decides every due occurrence, a batch of schedules in one transaction, until none is due."""
        while True:
            fired = 0
            with self._database.transaction() as tx:
                self._lag = max(0.0, -(ticks.seconds_to_next(tx) or 0.0))
                rows = ticks.due_apps(tx, self._settings.beat_tick_max)
                for row in rows:
                    fired += ticks.decide(tx, row, self.name)
            if fired:
                self._waker.wake(JobClass.CRON, min(fired, self._settings.workers_cron))
            if len(rows) < self._settings.beat_tick_max:
                return

    def _housekeeping(self) -> None:
        if self._nudge.due():
            with self._database.transaction() as tx:
                waiting, free = sweeper.waiting(tx), workers.free_slots(tx)
            self._nudges.send(waiting, free)
        if self._sweep.due():
            self._sweep_once()
        if self._look.due():
            request_look(self._intake, actor=self.name)

    def _sweep_once(self) -> None:
        with self._database.transaction() as tx:
            workers.beat(tx, self.name, self._lag)
        swept = sweeper.sweep(self._database, max_claims=self._settings.max_claims)
        if swept.moved:
            log.info("swept", moved=swept.moved)
        for job_class in swept.classes:
            self._waker.wake(job_class)
        for execution in swept.executions:
            self._live.announce_end(execution)

    def _sleep(self) -> None:
        if self._listener is None:
            self._listener = self._database.listen(SCHEDULES, url=self._settings.listen_url)
        with self._database.transaction() as tx:
            away = ticks.seconds_to_next(tx)
        pause = LONGEST_SLEEP if away is None else min(max(away, 0.0), LONGEST_SLEEP)
        self._listener.wait(pause)

    def _drop_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
