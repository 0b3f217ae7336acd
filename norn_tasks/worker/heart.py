"""The heart of a worker process: one thread renews the lease of every job in it, and hears what they must know.

A job whose lease could not be renewed for `self_stop` seconds stops itself, well before anyone may take it over.
The database's clock decides about leases; the monotonic clock of this machine only decides when to give up on oneself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from norn_tasks.domain.errors import DatabaseDown, Stopped
from norn_tasks.domain.job import Fence, JobClass
from norn_tasks.settings import Settings
from norn_tasks.store.heartbeats import Beat, renew
from norn_tasks.store.session import Database

log = structlog.get_logger()
DRAIN_PATIENCE = {JobClass.INVOKE: 25.0, JobClass.CRON: 25.0}
"""Seconds for which a draining worker lets a run of the class go on; any other job stops at once."""


class JobStop:
    """What stops one job (ports.Stop): set at most once, with its reason.

    `patience`: seconds since the last renewal after which the lease counts as lost, whoever asks: a process that was
    frozen finds that out by its own clock, before its heart has beaten again.
    """

    def __init__(self, patience: float = float("inf")) -> None:
        self._event = threading.Event()
        self._reason: str | None = None
        self._patience = patience
        self._renewed = time.monotonic()

    @property
    def reason(self) -> str | None:
        """`cancelled`, `draining`, `lease_lost`; None while the job may go on."""
        if self.age >= self._patience:
            self.set("lease_lost")
        return self._reason

    @property
    def age(self) -> float:
        """Seconds since the lease was renewed."""
        return time.monotonic() - self._renewed

    def renewed(self, at: float) -> None:
        """Notes a renewal that was asked for at a moment of the monotonic clock."""
        self._renewed = at

    def set(self, reason: str) -> None:
        """Stops the job; the first reason stays, but a lost lease overrules."""
        if self._reason is None or reason == "lease_lost":
            self._reason = reason
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleeps at most so long; True when the stop is set."""
        return self._event.wait(seconds) or self.reason is not None

    def check(self) -> None:
        """Raises Stopped when the stop is set."""
        reason = self.reason
        if reason is not None:
            raise Stopped(f"the job was stopped: {reason}", reason=reason)


class Heart:
    """The heartbeat of all jobs of this process."""

    def __init__(self, database: Database, settings: Settings, job_class: JobClass) -> None:
        self._database = database
        self._settings = settings
        self._drain_patience = DRAIN_PATIENCE.get(job_class, 0.0)
        self._held: dict[Fence, JobStop] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._draining_since: float | None = None
        threading.Thread(target=self._beat, name="norn-heart", daemon=True).start()

    @contextmanager
    def holding(self, fence: Fence) -> Iterator[JobStop]:
        """Keeps a job's lease alive inside the block, and gives what stops it."""
        stop = JobStop(self._settings.self_stop_seconds)
        with self._lock:
            self._held[fence] = stop
        try:
            yield stop
        finally:
            with self._lock:
                self._held.pop(fence, None)

    @property
    def draining(self) -> bool:
        """True once this worker was told to drain: nothing new is claimed."""
        return self._draining_since is not None

    def drain(self) -> None:
        """Tells every job at once that its worker drains."""
        if self._draining_since is None:
            self._draining_since = time.monotonic()
        self._wake.set()

    def _beat(self) -> None:
        while True:
            pause = 1.0 if self._draining_since is not None else self._settings.heartbeat_seconds
            self._wake.wait(min(pause, self._settings.self_stop_seconds / 4))
            self._wake.clear()
            try:
                self._once()
            except Exception:
                # A heart that stands still would let every job of this worker be taken for lost.
                log.exception("heartbeat failed, and goes on")

    def _once(self) -> None:
        with self._lock:
            held = dict(self._held)
        if not held:
            return
        self._stop_drained(held)
        due = {fence: stop for fence, stop in held.items() if stop.age >= self._settings.heartbeat_seconds * 0.45}
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
        for fence, stop in held.items():
            self._told(fence, stop, beats.get(fence), now)

    def _told(self, fence: Fence, stop: JobStop, beat: Beat | None, now: float) -> None:
        if beat is None:
            with self._lock:
                gone = fence not in self._held
            if not gone:
                stop.set("lease_lost")
            return
        stop.renewed(now)
        if beat.cancel:
            stop.set("cancelled")
        if beat.draining:
            self.drain()

    def _stop_drained(self, held: dict[Fence, JobStop]) -> None:
        since = self._draining_since
        if since is not None and time.monotonic() - since >= self._drain_patience:
            for stop in held.values():
                stop.set("draining")
