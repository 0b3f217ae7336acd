"""Shares out a worker's slots, so that neither one app nor deploys can use all of them. The jobs are counted in the
process that runs them.

A claim leaves out jobs whose share is full. Two threads may claim jobs of the same share at the same moment, so each
claim is counted before it is committed.
"""

from __future__ import annotations

import threading
from collections import Counter

from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.placement import has_place, share_of


class Shares:
    """Counts the running jobs of one worker process by share."""

    def __init__(self, job_class: JobClass, slots: int) -> None:
        self._class, self._slots = job_class, slots
        self._running: Counter[str | None] = Counter()
        self._lock = threading.Lock()

    def full(self) -> frozenset[str]:
        """Returns the shares that may get no further slot now."""
        with self._lock:
            return frozenset(share for share in self._running if share is not None and not self._has_place(share))

    def enter(self, kind: JobKind, app: str, *, adopts: bool) -> bool:
        """Counts a job, unless its share is full; returns True if it was counted.

        A job that `adopts` a running container is counted even if its share is full, because that container must have
        an owner.
        """
        share = share_of(self._class, kind, app)
        with self._lock:
            if not (share is None or adopts or self._has_place(share)):
                return False
            self._running[share] += 1
            return True

    def leave(self, kind: JobKind, app: str) -> None:
        """Counts the end of a job that was counted."""
        share = share_of(self._class, kind, app)
        with self._lock:
            self._running[share] -= 1
            if self._running[share] <= 0:
                del self._running[share]

    def _has_place(self, share: str) -> bool:
        return has_place(self._class, self._slots, sum(self._running.values()), self._running[share])
