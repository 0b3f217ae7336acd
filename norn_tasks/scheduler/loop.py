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
from norn_tasks.dispatch import Intake, request_look, request_looks_elsewhere
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.scheduler.deciding import Deciding
from norn_tasks.scheduler.ear import Ear
from norn_tasks.scheduler.nudges import Nudges
from norn_tasks.scheduler.watchman import Watchman
from norn_tasks.settings import Settings
from norn_tasks.store import sweeper, ticks, workers
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database

log = structlog.get_logger()
NUDGE_SECONDS, SWEEP_SECONDS, LOOK_SECONDS = 1.0, 5.0, 15.0
LONGEST_SLEEP = 1.0
HELD_ELSEWHERE = 0.05
"""Seconds of sleep when something is due that another beat, or a change of the schedule, holds at this moment."""
CLEAR = 0.3
"""Housekeeping waits while a tick is due within so many seconds, unless it has waited long."""


@dataclass
class _Every:
    """A thing that is done so often."""

    seconds: float
    last: float = field(default=float("-inf"))

    def due(self, *, clear: bool) -> bool:
        """True once in so many seconds; while the way is not clear, it waits as long again at most."""
        now = time.monotonic()
        if now - self.last < self.seconds * (1 if clear else 2):
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
        self._deciding = Deciding(database, settings, waker, self.name)
        self._ear = Ear(database, settings.listen_url)
        self._watchman = Watchman(self._intake, self.name)
        self._nudge, self._sweep = _Every(NUDGE_SECONDS), _Every(SWEEP_SECONDS)
        self._look = _Every(LOOK_SECONDS)

    def turn(self) -> None:
        """Does one round; while PostgreSQL is away it says so once a second."""
        try:
            self._deciding.round()
            self._housekeeping(clear=self._away() > CLEAR)
            self._ear.wait(self._pause())
        except DatabaseDown as error:
            log.warning("beat cannot reach the database", error=error.sentence)
            self._ear.close()
            time.sleep(LONGEST_SLEEP)

    def _away(self) -> float:
        with self._database.transaction() as tx:
            away = ticks.seconds_to_next(tx)
        return LONGEST_SLEEP if away is None else away

    def _pause(self) -> float:
        away = self._away()
        return HELD_ELSEWHERE if away <= 0 else min(away, LONGEST_SLEEP)

    def _housekeeping(self, *, clear: bool) -> None:
        if self._nudge.due(clear=clear):
            with self._database.transaction() as tx:
                waiting, free = sweeper.waiting(tx), workers.free_slots(tx)
            self._nudges.send(waiting, free)
        if self._sweep.due(clear=clear):
            self._sweep_once()
        if self._look.due(clear=clear):
            request_look(self._intake, actor=self.name)
            request_looks_elsewhere(self._intake, actor=self.name)
        self._watchman.round(clear=clear)

    def _sweep_once(self) -> None:
        with self._database.transaction() as tx:
            workers.beat(tx, self.name, self._deciding.lag())
        swept = sweeper.sweep(self._database, max_claims=self._settings.max_claims)
        if swept.moved:
            log.info("swept", moved=swept.moved)
        for job_class in swept.classes:
            self._waker.wake(job_class)
        for execution in swept.executions:
            self._live.announce_end(execution)
