"""Wake-ups for work that nobody took: its message was lost, or the broker was away when it was accepted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from norn_tasks.celery_app import Waker
from norn_tasks.domain.job import JobClass
from norn_tasks.store.sweeper import Waiting

PATIENCE = {JobClass.INVOKE: 2.0, JobClass.CRON: 5.0}
PATIENCE_ELSE = 15.0
LONGEST_PAUSE = 60.0


@dataclass
class _Pause:
    until: float
    seconds: float


class Nudges:
    """Sends min(ready, free slots) wake-ups when ready work of a class has waited too long; pauses double to 60 s."""

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._pauses: dict[JobClass, _Pause] = {}

    def send(self, waiting: Iterable[Waiting], free: Mapping[JobClass, int]) -> None:
        """Nudges the classes whose oldest ready job is over its patience."""
        over = {w.job_class: w for w in waiting if w.oldest >= PATIENCE.get(w.job_class, PATIENCE_ELSE)}
        self._pauses = {job_class: pause for job_class, pause in self._pauses.items() if job_class in over}
        now = time.monotonic()
        for job_class, work in over.items():
            pause = self._pauses.get(job_class)
            count = min(work.ready, free.get(job_class, 0))
            if count < 1 or (pause is not None and now < pause.until):
                continue
            self._waker.wake(job_class, count)
            seconds = min(pause.seconds * 2, LONGEST_PAUSE) if pause else PATIENCE.get(job_class, PATIENCE_ELSE)
            self._pauses[job_class] = _Pause(now + seconds, seconds)
