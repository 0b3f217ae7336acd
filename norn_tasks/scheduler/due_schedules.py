"""The scheduler's decisions: first, in batches, about occurrences that are due now; then about occurrences that were
due during an outage. After that, it wakes the workers once.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import datetime

from norn_tasks.celery_app import Waker
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.settings import Settings
from norn_tasks.store.cron import deciding, gaps
from norn_tasks.store.cron.deciding import Ahead
from norn_tasks.store.cron.effective import clock
from norn_tasks.store.database.session import Database, Tx
from norn_tasks.store.fleet import workers

REMEMBERED = 60.0
"""Seconds for which a delayed round is reported as this scheduler's lag."""
WAKE_SECONDS = 1.0
"""In a round that takes longer than this, workers are woken each time this many seconds have passed, and at the end. In
between, workers do not compete with the scheduler for the database.
"""


GAPS_SECONDS = 1.0
"""Seconds of each round that are spent on counting the occurrences of outages."""


class DueSchedules:
    """Decides the due occurrences in one scheduler process."""

    def __init__(self, database: Database, settings: Settings, waker: Waker, name: str) -> None:
        self._database, self._settings, self._waker, self._name = database, settings, waker, name
        self._lags: deque[tuple[float, float]] = deque()
        self._started, self._since = 0, 0.0
        self._runnable_until: datetime | None = None
        self.ahead: Ahead | None = None
        """When the next work is due, as the last round saw it; None if that round had something to decide."""

    def round(self) -> bool:
        """Decides every due occurrence, and then, for GAPS_SECONDS, occurrences of outages; returns True if occurrences
        of outages are left.

        Counting a long outage of many schedules takes minutes. The scheduler does its other work between these rounds.
        """
        if self._nothing_to_decide():
            self._wake()
            return False
        until = time.monotonic() + GAPS_SECONDS
        self._all_due()
        left = self._some_gaps()
        while left and time.monotonic() < until:
            self._all_due()
            left = self._some_gaps()
        self._wake()
        return left

    def lag(self) -> float:
        """Returns how late, in seconds, the most delayed occurrence of the last minute was decided."""
        now = time.monotonic()
        while self._lags and now - self._lags[0][0] > REMEMBERED:
            self._lags.popleft()
        return max((lag for _, lag in self._lags), default=0.0)

    def _all_due(self) -> None:
        while True:
            with self._database.transaction() as tx:
                deciding.limit_idle_transaction(tx)
                rows = deciding.due_rows(tx, self._settings.beat_tick_max)
                if not rows:
                    return
                decided = deciding.decide(tx, rows, clock(tx), self._name)
            self._lags.append((time.monotonic(), decided.lag))
            self._count(decided.started)
            if len(rows) < self._settings.beat_tick_max:
                return

    def _some_gaps(self) -> bool:
        with self._database.transaction() as tx:
            deciding.limit_idle_transaction(tx)
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
        """Sends at most as many wake-ups as workers can run jobs at the same time, because each worker takes jobs until
        none is left.
        """
        if not self._started:
            return
        with self._database.transaction() as tx:
            self._send(tx, {JobClass.CRON: self._started})
        self._started = 0

    def _nothing_to_decide(self) -> bool:
        """Wakes workers for work that was held back; returns True if no schedule is due and no outage is left
        to count.
        """
        with self._database.transaction() as tx:
            ahead = deciding.ahead(tx)
            if self._runnable_until is not None:
                self._send(tx, deciding.runnable(tx, self._runnable_until, ahead.now))
            self._runnable_until = ahead.now
        self.ahead = None if ahead.open else ahead
        return not ahead.open

    def _send(self, tx: Tx, ready: dict[JobClass, int]) -> None:
        if not ready:
            return
        slots = workers.slots(tx)
        for job_class, count in ready.items():
            self._waker.wake(job_class, min(count, slots.get(job_class, self._settings.slots(job_class))))
