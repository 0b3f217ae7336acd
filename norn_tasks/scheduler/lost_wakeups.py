"""Repeats wake-ups for jobs that no worker took, because the first message was lost or the broker was unreachable."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from norn_tasks.celery_app import Waker
from norn_tasks.domain.backoff import doubling_pause
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.queue.readiness import ReadyWork

PATIENCE = {JobClass.INVOKE: 2.0, JobClass.CRON: 5.0}
PATIENCE_ELSE = 15.0
LONGEST_PAUSE = 60.0
"""The seconds that ready work of a class may wait before wake-ups are repeated; also the longest pause between
repetitions.
"""


@dataclass
class _Pause:
    until: float
    sent: int


class LostWakeups:
    """Repeats wake-ups if a ready job of a class has waited too long: as many as there are ready jobs, but at most one
    per free slot. The pauses between repetitions double up to 60 s.
    """

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._pauses: dict[JobClass, _Pause] = {}

    def send(self, waiting: Iterable[ReadyWork], free: Mapping[JobClass, int]) -> None:
        """Wakes the workers of each class whose oldest ready job has waited too long."""
        over = {w.job_class: w for w in waiting if w.oldest >= PATIENCE.get(w.job_class, PATIENCE_ELSE)}
        self._pauses = {job_class: pause for job_class, pause in self._pauses.items() if job_class in over}
        now = time.monotonic()
        for job_class, work in over.items():
            pause = self._pauses.get(job_class)
            count = min(work.ready, free.get(job_class, 0))
            if count < 1 or (pause is not None and now < pause.until):
                continue
            self._waker.wake(job_class, count)
            sent = 1 if pause is None else pause.sent + 1
            seconds = doubling_pause(PATIENCE.get(job_class, PATIENCE_ELSE), sent, most=LONGEST_PAUSE)
            self._pauses[job_class] = _Pause(now + seconds, sent)
