"""The heart of a worker process: one thread renews the lease of every job in it, and hears what they must know.

A job whose lease could not be renewed for `self_stop` seconds stops itself, well before anyone may take it over.
The database's clock decides about leases; the monotonic clock of this machine only decides when to give up on oneself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
    """What stops one job (ports.Stop): set at most once, with its reason."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """`cancelled`, `draining`, `lease_lost`; None while the job may go on."""
        return self._reason

    def set(self, reason: str) -> None:
        """Stops the job; the first reason stays, but a lost lease overrules."""
        if self._reason is None or reason == "lease_lost":
            self._reason = reason
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleeps at most so long; True when the stop is set."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raises Stopped when the stop is set."""
        if self._event.is_set():
            raise Stopped(f"the job was stopped: {self._reason}", reason=self._reason)


@dataclass
class _Held:
    stop: JobStop = field(default_factory=JobStop)
    renewed: float = field(default_factory=time.monotonic)


class Heart:
    """The heartbeat of all jobs of this process."""

    def __init__(self, database: Database, settings: Settings, job_class: JobClass) -> None:
        self._database = database
        self._settings = settings
        self._drain_patience = DRAIN_PATIENCE.get(job_class, 0.0)
        self._held: dict[Fence, _Held] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._draining_since: float | None = None
        threading.Thread(target=self._beat, name="norn-heart", daemon=True).start()

    @contextmanager
    def holding(self, fence: Fence) -> Iterator[JobStop]:
        """Keeps a job's lease alive inside the block, and gives what stops it."""
        held = _Held()
        with self._lock:
            self._held[fence] = held
        try:
            yield held.stop
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
            self._once()

    def _once(self) -> None:
        with self._lock:
            held = dict(self._held)
        if not held:
            return
        self._stop_drained(held)
        due = {f: h for f, h in held.items() if time.monotonic() - h.renewed >= self._settings.heartbeat_seconds * 0.45}
        if due:
            self._renew(due)

    def _renew(self, held: dict[Fence, _Held]) -> None:
        now = time.monotonic()
        try:
            with self._database.transaction() as tx:
                beats = renew(tx, list(held), self._settings.lease_seconds)
        except DatabaseDown as error:
            log.warning("heartbeat failed", jobs=len(held), error=error.sentence)
            self._give_up(held, now)
            return
        for fence, entry in held.items():
            self._told(fence, entry, beats.get(fence), now)

    def _told(self, fence: Fence, entry: _Held, beat: Beat | None, now: float) -> None:
        if beat is None:
            with self._lock:
                gone = fence not in self._held
            if not gone:
                entry.stop.set("lease_lost")
            return
        entry.renewed = now
        if beat.cancel:
            entry.stop.set("cancelled")
        if beat.draining:
            self.drain()

    def _give_up(self, held: dict[Fence, _Held], now: float) -> None:
        for entry in held.values():
            if now - entry.renewed >= self._settings.self_stop_seconds:
                entry.stop.set("lease_lost")

    def _stop_drained(self, held: dict[Fence, _Held]) -> None:
        since = self._draining_since
        if since is not None and time.monotonic() - since >= self._drain_patience:
            for entry in held.values():
                entry.stop.set("draining")
