"""Listens for PostgreSQL's NOTIFY when a schedule changes. If the connection is lost, that is logged once, and the
scheduler still polls every second.
"""

from __future__ import annotations

import secrets
import time

import structlog

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.database.listening import Listener
from norn_tasks.store.database.session import SCHEDULES, Database
from norn_tasks.store.events.publishing import notify

log = structlog.get_logger()
AGAIN_SECONDS = 5.0
SELF_TEST_SECONDS = 5.0


class ScheduleListener:
    """A connection with LISTEN. It is tested with a notification of its own, and reopened when it is lost."""

    def __init__(self, database: Database, url: str) -> None:
        self._database, self._url = database, url
        self._listener: Listener | None = None
        self._again = 0.0
        self._self_test: str | None = None
        self._self_test_until = 0.0
        self._failing = False

    def wait(self, seconds: float) -> None:
        """Sleeps for `seconds`, or until a schedule changes; without a connection, always sleeps for `seconds`."""
        if self._listener is None and time.monotonic() >= self._again:
            self._open()
        if self._listener is None:
            time.sleep(seconds)
            return
        try:
            self._check_self_test(self._listener.wait(seconds))
        except DatabaseDown as error:
            self._lost(error)

    def close(self) -> None:
        """Closes the connection; the next `wait` opens another."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _open(self) -> None:
        try:
            self._listener = self._database.listen(SCHEDULES, url=self._url)
        except DatabaseDown as error:
            self._lost(error)
            return
        self._self_test = f"self-test {secrets.token_hex(8)}"
        self._self_test_until = time.monotonic() + SELF_TEST_SECONDS
        with self._database.transaction() as tx:
            notify(tx, SCHEDULES, self._self_test)

    def _lost(self, error: DatabaseDown) -> None:
        self.close()
        self._again = time.monotonic() + AGAIN_SECONDS
        self._report_failure(error.sentence)

    def _check_self_test(self, payloads: list[str]) -> None:
        if self._self_test is None:
            return
        if self._self_test in payloads:
            self._self_test, self._failing = None, False
        elif time.monotonic() > self._self_test_until:
            self._self_test = None
            self._report_failure("notifications do not arrive; check NORN_DATABASE_LISTEN_URL")

    def _report_failure(self, why: str) -> None:
        if not self._failing:
            log.warning("beat is not notified of changed schedules and polls once a second", why=why)
        self._failing = True
