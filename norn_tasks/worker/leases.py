"""The leases of a worker process. One thread renews them all, and reads from the answers which jobs are cancelled, and
whether the worker drains.

A cancellation need not wait for the next renewal: `worker.cancels` gets a notification, and makes the thread renew
immediately.

A job whose lease could not be renewed for `self_stop` seconds stops itself, well before another worker may take it
over. The database's clock decides about leases; the monotonic clock of this machine only decides when a worker gives up
its own job.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from norn_tasks.domain.errors import DatabaseDown, Stopped
from norn_tasks.domain.jobs.job import Fence, JobClass
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from norn_tasks.store.queue.leases import LeaseRenewal, renew

log = structlog.get_logger()
DRAIN_PATIENCE = {JobClass.INVOKE: 25.0, JobClass.CRON: 25.0}
"""Seconds for which a draining worker lets a run of the class continue; any other job stops immediately."""
_REMEMBERED = 64
"""How many cancelled jobs are remembered, because a job may already be claimed while its lease is not yet known
here.
"""


class JobStop:
    """The stop of one job (ports.Stop): set at most once, with its reason.

    `patience`: seconds after the last renewal at which the lease counts as lost. So a process that was frozen notices
    this by its own clock, before the next renewal.
    """

    def __init__(self, patience: float = float("inf")) -> None:
        self._event = threading.Event()
        self._reason: str | None = None
        self._patience = patience
        self._renewed = time.monotonic()
        self.spared = 0.0

    def spare(self, seconds: float) -> None:
        """Lets the job continue for these seconds after its worker began to drain, if its class would allow fewer."""
        self.spared = seconds

    @property
    def reason(self) -> str | None:
        """The reason: `cancelled`, `draining` or `lease_lost`; None while the job may go on."""
        if self.age >= self._patience:
            self.set("lease_lost")
        return self._reason

    @property
    def age(self) -> float:
        """Seconds since the lease was renewed."""
        return time.monotonic() - self._renewed

    def renewed(self, at: float) -> None:
        """Records a renewal that was requested at a time of the monotonic clock."""
        self._renewed = at

    def set(self, reason: str) -> None:
        """Stops the job. The first reason stays, but a lost lease replaces any other reason."""
        if self._reason is None or reason == "lease_lost":
            self._reason = reason
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleeps for at most `seconds`; True when the stop is set."""
        return self._event.wait(seconds) or self.reason is not None

    def check(self) -> None:
        """Raises Stopped when the stop is set."""
        reason = self.reason
        if reason is not None:
            raise Stopped(f"the job was stopped: {reason}", reason=reason)


class LeaseKeeper:
    """Renews the leases of all jobs of this process (the heartbeat).

    It has a `database` of its own, because jobs that wait for locks may use all other connections.
    """

    def __init__(self, database: Database, settings: Settings, job_class: JobClass) -> None:
        self._database = database
        self._settings = settings
        self._drain_patience = DRAIN_PATIENCE.get(job_class, 0.0)
        self._held: dict[Fence, JobStop] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._draining_since: float | None = None
        self._locked = False
        self._look = False
        self._cancelled: deque[int] = deque(maxlen=_REMEMBERED)
        threading.Thread(target=self._beat, name="norn-leases", daemon=True).start()

    @contextmanager
    def holding(self, fence: Fence, since: float | None = None) -> Iterator[JobStop]:
        """Keeps a job's lease alive inside the block, and yields its stop.

        `since`: the moment of the monotonic clock from which the lease counts; by default now.
        """
        stop = JobStop(self._settings.self_stop_seconds)
        if since is not None:
            stop.renewed(since)
        with self._lock:
            self._held[fence] = stop
            cancelled = fence.job in self._cancelled
        if cancelled:
            self.look()
        try:
            yield stop
        finally:
            with self._lock:
                self._held.pop(fence, None)

    @property
    def draining(self) -> bool:
        """True if this worker was asked to drain, so that it claims no more jobs."""
        return self._draining_since is not None

    def drain(self) -> None:
        """Notifies every job immediately that its worker drains."""
        if self._draining_since is None:
            self._draining_since = time.monotonic()
        self._wake.set()

    def heard_of_cancel(self, job: int) -> None:
        """Checks immediately whether this job must stop, if its lease is held here."""
        with self._lock:
            self._cancelled.append(job)
            mine = any(fence.job == job for fence in self._held)
        if mine:
            self.look()

    def look(self) -> None:
        """Makes the thread renew all leases now. The answers say which jobs are cancelled."""
        self._look = True
        self._wake.set()

    def _beat(self) -> None:
        while True:
            soon = self._locked or self._draining_since is not None
            pause = 1.0 if soon else self._settings.heartbeat_seconds
            self._wake.wait(min(pause, self._settings.self_stop_seconds / 4))
            self._wake.clear()
            try:
                self._once()
            except Exception:
                # Without this thread every job of this worker would count as lost.
                log.exception("heartbeat failed, and goes on")

    def _once(self) -> None:
        with self._lock:
            held = dict(self._held)
        if not held:
            return
        self._stop_drained(held)
        all_of_them, self._look = self._look, False
        pause = 0.0 if all_of_them else self._settings.heartbeat_seconds * 0.45
        due = {fence: stop for fence, stop in held.items() if stop.age >= pause}
        if due:
            self._renew(due)

    def _renew(self, held: dict[Fence, JobStop]) -> None:
        now = time.monotonic()
        try:
            with self._database.transaction() as tx:
                beats = renew(tx, list(held), self._settings.lease_seconds)
        except DatabaseDown as error:
            log.warning("heartbeat failed", jobs=len(held), error=error.sentence)
            return
        self._locked = any(not beat.renewed for beat in beats.values())
        for fence, stop in held.items():
            self._apply(fence, stop, beats.get(fence), now)

    def _apply(self, fence: Fence, stop: JobStop, beat: LeaseRenewal | None, now: float) -> None:
        if beat is None:
            with self._lock:
                gone = fence not in self._held
            if not gone:
                stop.set("lease_lost")
            return
        if beat.renewed:
            stop.renewed(now)
        if beat.cancel:
            stop.set("cancelled")
        if beat.draining:
            self.drain()

    def _stop_drained(self, held: dict[Fence, JobStop]) -> None:
        if self._draining_since is None:
            return
        drained = time.monotonic() - self._draining_since
        for stop in held.values():
            if drained >= max(self._drain_patience, stop.spared):
                stop.set("draining")
