"""Keeping house beside beat's loop, on a thread and a connection of its own: nothing here may make a tick late.

Once a second it looks after the reserve; every few seconds it counts what was told and drops what is not to stay of
calls; once an hour one of all beats removes what need not be kept.
"""

from __future__ import annotations

import threading
import time

import structlog

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.scheduler.reserve import Reserve
from norn_tasks.settings import Settings
from norn_tasks.store import call_records, chores, retention, sources, tallies
from norn_tasks.store.retention import Keep
from norn_tasks.store.session import Database

log = structlog.get_logger()
LOOK_SECONDS, ROUND_SECONDS, RETENTION_SECONDS = 1.0, 5.0, 3600.0
CALLS_AT_ONCE = 200


def keep_of(settings: Settings) -> Keep:
    """Answers what the settings say is to be kept."""
    return Keep(
        days=settings.keep_days,
        per_app=settings.keep_per_app,
        runs_days=settings.keep_runs_days,
        runs_per_app=settings.keep_runs_per_app,
        failed_days=settings.keep_failed_days,
        audit_days=settings.keep_audit_days,
    )


class Housekeeping:
    """The housekeeper of one beat process; `round()` does what is to be done now."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._reserve = Reserve(settings.data_dir, settings.disk_accept_free)
        self._gone = threading.Event()

    def start(self) -> None:
        """Keeps house from now on, as long as the process lives."""
        threading.Thread(target=self._rounds, name="norn-housekeeping", daemon=True).start()

    def round(self) -> None:
        """Does one round; raises DatabaseDown."""
        tallies.count(self._database)
        self._trim_calls()
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
                # One chore that cannot be done must not end all the others for good.
                log.exception("housekeeping failed, and goes on")

    def _trim_calls(self) -> None:
        trimmed = CALLS_AT_ONCE
        while trimmed == CALLS_AT_ONCE:
            with self._database.transaction() as tx:
                trimmed = call_records.trim_due(tx, self._settings.result_ttl, CALLS_AT_ONCE)

    def _forget_sources(self) -> None:
        """Forgets uploads that no release needs, one in a transaction."""
        forgotten = 1
        while forgotten and not self._gone.is_set():
            with self._database.transaction() as tx:
                forgotten = sources.forget_unneeded(tx, most=1)

    def _retain(self) -> None:
        with self._database.transaction() as tx:
            if not chores.my_turn(tx, chores.RETENTION, RETENTION_SECONDS):
                return
        self._forget_sources()
        tidied = retention.tidy(self._database, keep_of(self._settings), lambda: not self._gone.is_set())
        removed = {table: count for table, count in tidied.removed.items() if count}
        with self._database.transaction() as tx:
            chores.done(tx, chores.RETENTION, removed=removed, longest_ms=tidied.longest_ms)
        log.info("retention done", removed=removed, longest_ms=tidied.longest_ms)
