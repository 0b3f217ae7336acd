"""Beat decides: what is due first, in batches; then what an outage left; and each class is woken once for all of it."""

from __future__ import annotations

import time
from collections import deque
from datetime import datetime

from norn_tasks.celery_app import Waker
from norn_tasks.domain.job import JobClass
from norn_tasks.settings import Settings
from norn_tasks.store import gaps, ticks, workers
from norn_tasks.store.plans import clock
from norn_tasks.store.session import Database, Tx

REMEMBERED = 60.0
"""Seconds for which a late round is told as this beat's lag."""
WAKE_SECONDS = 1.0
"""A round that takes longer wakes workers every so many seconds too, not only at its end: until then what is due has
the database to itself."""


class Deciding:
    """The deciding part of one beat."""

    def __init__(self, database: Database, settings: Settings, waker: Waker, name: str) -> None:
        self._database, self._settings, self._waker, self._name = database, settings, waker, name
        self._lags: deque[tuple[float, float]] = deque()
        self._started, self._since = 0, 0.0
        self._ripe_until: datetime | None = None

    def round(self) -> None:
        """Decides every due occurrence, then every gap, for as long as there are some; what is due goes first."""
        while True:
            self._all_due()
            if not self._some_gaps():
                break
        self._wake()
        self._wake_ripe()

    def lag(self) -> float:
        """Answers how late the latest occurrence of the last minute was decided, in seconds."""
        now = time.monotonic()
        while self._lags and now - self._lags[0][0] > REMEMBERED:
            self._lags.popleft()
        return max((lag for _, lag in self._lags), default=0.0)

    def _all_due(self) -> None:
        while True:
            with self._database.transaction() as tx:
                ticks.hurry(tx)
                rows = ticks.due_rows(tx, self._settings.beat_tick_max)
                if not rows:
                    return
                decided = ticks.decide(tx, rows, clock(tx), self._name)
            self._lags.append((time.monotonic(), decided.lag))
            self._count(decided.started)
            if len(rows) < self._settings.beat_tick_max:
                return

    def _some_gaps(self) -> bool:
        with self._database.transaction() as tx:
            ticks.hurry(tx)
            settled = gaps.settle(tx, self._name)
        self._count(settled.started)
        return settled.looked > 0

    def _count(self, started: int) -> None:
        if started and not self._started:
            self._since = time.monotonic()
        self._started += started
        if self._started and time.monotonic() - self._since > WAKE_SECONDS:
            self._wake()

    def _wake(self) -> None:
        """Wakes as many as can run at once: each takes work until none is left, so more would find nothing."""
        if not self._started:
            return
        with self._database.transaction() as tx:
            self._send(tx, {JobClass.CRON: self._started})
        self._started = 0

    def _wake_ripe(self) -> None:
        with self._database.transaction() as tx:
            now = clock(tx)
            if self._ripe_until is not None:
                self._send(tx, ticks.ripe(tx, self._ripe_until, now))
        self._ripe_until = now

    def _send(self, tx: Tx, ready: dict[JobClass, int]) -> None:
        if not ready:
            return
        slots = workers.slots(tx)
        for job_class, count in ready.items():
            self._waker.wake(job_class, min(count, slots.get(job_class, self._settings.slots(job_class))))
