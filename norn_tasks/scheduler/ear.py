"""Beat's ear: hears NOTIFY when a schedule has changed. Deaf, it says so once, and beat still looks every second."""

from __future__ import annotations

import secrets
import time

import structlog

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.facts import notify
from norn_tasks.store.session import SCHEDULES, Database, Listener

log = structlog.get_logger()
AGAIN_SECONDS = 5.0
SELF_TEST_SECONDS = 5.0


class Ear:
    """One LISTEN connection, opened anew when it is lost, and tested by a word of our own."""

    def __init__(self, database: Database, url: str) -> None:
        self._database, self._url = database, url
        self._listener: Listener | None = None
        self._again = 0.0
        self._word: str | None = None
        self._word_until = 0.0
        self._deaf = False

    def wait(self, seconds: float) -> None:
        """Sleeps so long, or until a schedule changes; without a connection it only sleeps."""
        if self._listener is None and time.monotonic() >= self._again:
            self._open()
        if self._listener is None:
            time.sleep(seconds)
            return
        try:
            self._heard(self._listener.wait(seconds))
        except DatabaseDown as error:
            self._lost(error)

    def close(self) -> None:
        """Lets go of the connection; the next wait opens another."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _open(self) -> None:
        try:
            self._listener = self._database.listen(SCHEDULES, url=self._url)
        except DatabaseDown as error:
            self._lost(error)
            return
        self._word, self._word_until = f"self-test {secrets.token_hex(8)}", time.monotonic() + SELF_TEST_SECONDS
        with self._database.transaction() as tx:
            notify(tx, SCHEDULES, self._word)

    def _lost(self, error: DatabaseDown) -> None:
        self.close()
        self._again = time.monotonic() + AGAIN_SECONDS
        self._say_deaf(error.sentence)

    def _heard(self, words: list[str]) -> None:
        if self._word is None:
            return
        if self._word in words:
            self._word, self._deaf = None, False
        elif time.monotonic() > self._word_until:
            self._word = None
            self._say_deaf("notifications do not arrive; check NORN_DATABASE_LISTEN_URL")

    def _say_deaf(self, why: str) -> None:
        if not self._deaf:
            log.warning("beat does not hear changes of schedules and looks once a second", why=why)
        self._deaf = True
