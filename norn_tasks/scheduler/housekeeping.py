"""Housekeeping, on a thread and a database connection of its own, so that it never delays the scheduler's decisions.

It checks the disk reserve once a second. Every few seconds it counts new events, and deletes the parts of calls that
must not be kept. Once an hour, one of the running schedulers deletes rows after the end of their retention.
"""

from __future__ import annotations

import threading
import time

import structlog

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.scheduler.disk_reserve import DiskReserve
from norn_tasks.settings import Settings
from norn_tasks.store.apps import uploads
from norn_tasks.store.database.session import Database
from norn_tasks.store.runs import payloads
from norn_tasks.store.upkeep import counters, exclusive_tasks, retention
from norn_tasks.store.upkeep.retention import RetentionLimits

log = structlog.get_logger()
LOOK_SECONDS, ROUND_SECONDS, RETENTION_SECONDS = 1.0, 5.0, 3600.0
CALLS_AT_ONCE = 200
BODIES_SECONDS = 60.0
"""Seconds between two checks of how many bytes recorded bodies have. A call that ended less than this time ago keeps
its bodies, unless `result_ttl` is shorter.
"""


def keep_of(settings: Settings) -> RetentionLimits:
    """Returns the retention limits in the settings."""
    return RetentionLimits(
        days=settings.keep_days,
        per_app=settings.keep_per_app,
        runs_days=settings.keep_runs_days,
        runs_per_app=settings.keep_runs_per_app,
        failed_days=settings.keep_failed_days,
        audit_days=settings.keep_audit_days,
    )


class Housekeeping:
    """The housekeeping of one scheduler process; `round()` runs the tasks that are due."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._reserve = DiskReserve(settings.data_dir, settings.disk_accept_free)
        self._gone = threading.Event()
        self._bodies_due = 0.0

    def start(self) -> None:
        """Starts the thread, which runs until the process ends."""
        threading.Thread(target=self._rounds, name="norn-housekeeping", daemon=True).start()

    def round(self) -> None:
        """Runs one round; raises DatabaseDown."""
        counters.count(self._database)
        self._trim_calls()
        if time.monotonic() >= self._bodies_due:
            self._bodies_due = time.monotonic() + BODIES_SECONDS
            self._bound_bodies()
        self._retain()

    def _rounds(self) -> None:
        due = 0.0
        while not self._gone.wait(LOOK_SECONDS):
            try:
                self._reserve.look()
                if time.monotonic() >= due:
                    due = time.monotonic() + ROUND_SECONDS
                    self.round()
            except DatabaseDown as error:
                log.warning("housekeeping cannot reach the database", error=error.sentence)
            except Exception:
                # One failing task must not prevent the others.
                log.exception("housekeeping failed; it continues")

    def _trim_calls(self) -> None:
        trimmed = CALLS_AT_ONCE
        while trimmed == CALLS_AT_ONCE:
            with self._database.transaction() as tx:
                trimmed = payloads.trim_due(tx, self._settings.result_ttl, CALLS_AT_ONCE)

    def _bound_bodies(self) -> None:
        """Deletes the oldest recorded bodies of apps that have too many bytes of them."""
        most, ttl = self._settings.keep_bodies, min(self._settings.result_ttl, BODIES_SECONDS)
        trimmed = CALLS_AT_ONCE
        while trimmed == CALLS_AT_ONCE and not self._gone.is_set():
            with self._database.transaction() as tx:
                trimmed = payloads.trim_over(tx, most, ttl, CALLS_AT_ONCE)

    def _delete_sources(self) -> None:
        """Deletes uploads that no release needs, one per transaction."""
        deleted = 1
        while deleted and not self._gone.is_set():
            with self._database.transaction() as tx:
                deleted = uploads.forget_unneeded(tx, most=1)

    def _retain(self) -> None:
        with self._database.transaction() as tx:
            if not exclusive_tasks.my_turn(tx, exclusive_tasks.RETENTION, RETENTION_SECONDS):
                return
        self._delete_sources()
        tidied = retention.tidy(self._database, keep_of(self._settings), lambda: not self._gone.is_set())
        removed = {table: count for table, count in tidied.removed.items() if count}
        with self._database.transaction() as tx:
            exclusive_tasks.done(tx, exclusive_tasks.RETENTION, removed=removed, longest_ms=tidied.longest_ms)
        log.info("retention done", removed=removed, longest_ms=tidied.longest_ms)
