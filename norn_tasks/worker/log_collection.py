"""Collects the log lines of replicas, in a worker of the class observe, while the worker also runs jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import structlog

from norn_tasks.domain.errors import DatabaseDown

log = structlog.get_logger()
_AGAIN = 5.0
"""Seconds before the next try while the database is unreachable."""


class Collector(Protocol):
    """A piece of work that collects as long as it runs."""

    def run(self) -> None:
        """Collects until it is stopped."""

    def stop(self) -> None:
        """Makes the collector and its threads end soon."""


class LogCollection:
    """The thread that collects. It ends with the process; lines that the engine still has are not lost."""

    def __init__(self, make: Callable[[], Collector]) -> None:
        self._make = make

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._run, name="norn-logs", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._collect()
            except DatabaseDown as error:
                log.warning("the logs of replicas are not collected yet", error=error.sentence)
            except Exception:
                log.exception("collecting the logs of replicas failed; it is tried again")
            pause.wait(_AGAIN)

    def _collect(self) -> None:
        collector = self._make()
        try:
            collector.run()
        finally:
            collector.stop()
