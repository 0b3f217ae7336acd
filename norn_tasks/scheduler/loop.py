"""The scheduler's loop: decides due occurrences, wakes workers for waiting jobs, sweeps stuck jobs, requests
observations.

It sleeps until the next occurrence is due, or until the database reports that a schedule has changed. Any number of
loops may run at the same time: rows are locked with SKIP LOCKED, the rows of occurrences are unique, and a second sweep
finds nothing.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field

import structlog

from norn_tasks.celery_app import Waker
from norn_tasks.dispatch import Intake, request_cluster_looks, request_look, request_looks_elsewhere
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.scheduler.due_schedules import DueSchedules
from norn_tasks.scheduler.lost_wakeups import LostWakeups
from norn_tasks.scheduler.periodic_tasks import PeriodicTasks
from norn_tasks.scheduler.schedule_listener import ScheduleListener
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.cron import deciding
from norn_tasks.store.cron.deciding import Ahead
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.queue import readiness, sweeper

log = structlog.get_logger()
WAKE_SECONDS, SWEEP_SECONDS, LOOK_SECONDS = 1.0, 5.0, 15.0
LONGEST_SLEEP = 1.0
HELD_ELSEWHERE = 0.05
"""Seconds of sleep if the row of a due schedule is locked by another scheduler or by a change of the schedule."""
CLEAR = 0.3
"""Seconds. If an occurrence is due within this time, other tasks wait, unless they have already waited for long."""


@dataclass
class _Every:
    """The interval of a periodic task."""

    seconds: float
    last: float = field(default=float("-inf"))

    def due(self, *, clear: bool) -> bool:
        """Returns True once per interval; if an occurrence is about to be due (not `clear`), once per two intervals."""
        now = time.monotonic()
        if now - self.last < self.seconds * (1 if clear else 2):
            return False
        self.last = now
        return True


def _pause(away: float, passed: float) -> float:
    """Returns how long to sleep, if `passed` seconds ago the next work was due in `away` seconds.

    If a schedule has changed since then, its NOTIFY ends the sleep early.
    """
    return HELD_ELSEWHERE if away <= 0 else min(max(0.0, away - passed), LONGEST_SLEEP)


class BeatLoop:
    """One scheduler loop. `turn()` does all due work, and then sleeps until more is due, at most a second."""

    def __init__(self, database: Database, settings: Settings, waker: Waker, live: Live) -> None:
        self.name = f"beat@{socket.gethostname()}:{os.getpid()}"
        self._database, self._settings, self._waker, self._live = database, settings, waker, live
        self._intake = Intake(database, settings, waker, live)
        self._lost_wakeups = LostWakeups(waker)
        self._due_schedules = DueSchedules(database, settings, waker, self.name)
        self._listener = ScheduleListener(database, settings.listen_url)
        self._periodic = PeriodicTasks(self._intake, self.name)
        self._wakeups, self._sweep = _Every(WAKE_SECONDS), _Every(SWEEP_SECONDS)
        self._look = _Every(LOOK_SECONDS)

    def turn(self) -> None:
        """Runs one turn; while PostgreSQL is unreachable, logs that once per second."""
        try:
            asked, more = time.monotonic(), self._due_schedules.round()
            ahead = self._due_schedules.ahead
            if ahead is None:  # the round decided something, so more may be due
                ahead, asked = self._ahead(), time.monotonic()
            away = LONGEST_SLEEP if ahead.seconds is None else ahead.seconds
            self._housekeeping(clear=away > CLEAR)
            self._listener.wait(0.0 if more else _pause(away, time.monotonic() - asked))
        except DatabaseDown as error:
            log.warning("beat cannot reach the database", error=error.sentence)
            self._listener.close()
            time.sleep(LONGEST_SLEEP)

    def _ahead(self) -> Ahead:
        with self._database.transaction() as tx:
            return deciding.ahead(tx)

    def _housekeeping(self, *, clear: bool) -> None:
        if self._wakeups.due(clear=clear):
            with self._database.transaction() as tx:
                waiting = readiness.startable(tx)
                free = workers.free_slots(tx) if waiting else {}
            self._lost_wakeups.send(waiting, free)
        if self._sweep.due(clear=clear):
            self._sweep_once()
        if self._look.due(clear=clear):
            request_cluster_looks(self._intake, actor=self.name)
            request_look(self._intake, actor=self.name)
            request_looks_elsewhere(self._intake, actor=self.name)
        self._periodic.round(clear=clear)

    def _sweep_once(self) -> None:
        with self._database.transaction() as tx:
            workers.beat(tx, self.name, self._due_schedules.lag())
        swept = sweeper.sweep(self._database, max_claims=self._settings.max_claims)
        if swept.moved:
            log.info("swept", moved=swept.moved)
        for job_class in swept.classes:
            self._waker.wake(job_class)
        for execution in swept.executions:
            self._live.announce_end(execution)
