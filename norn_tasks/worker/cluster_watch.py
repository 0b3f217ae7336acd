"""Requests an observation of a cluster soon after something has changed there; runs in a worker of the class
observe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from norn_tasks.domain.errors import DatabaseDown, NornError

log = structlog.get_logger()
APART = 2.0
"""The least seconds between two observations, because a rollout changes its pods many times."""
AGAIN = 5.0
"""Seconds before the next try while the database is unreachable."""


class ClusterWatch:
    """The thread that calls `request` after each call of `changed`, or once after several calls.

    `begin` gets the method `changed`, and starts a watch that calls it. While the database is unreachable, `begin` is
    tried again.
    """

    def __init__(
        self,
        begin: Callable[[Callable[[], None]], object],
        request: Callable[[], object],
        apart: float = APART,
        again: float = AGAIN,
    ) -> None:
        self._begin, self._request, self._apart, self._again = begin, request, apart, again
        self._changes = threading.Event()

    def changed(self) -> None:
        """Records a change; may be called from any thread."""
        self._changes.set()

    def start(self) -> None:
        """Starts the thread, which ends with the process."""
        threading.Thread(target=self._run, name="norn-cluster-watch", daemon=True).start()

    def _begun(self) -> bool:
        try:
            self._begin(self.changed)
        except DatabaseDown:
            return False
        return True

    def _run(self) -> None:
        pause = threading.Event()
        while not self._begun():
            pause.wait(self._again)
        while True:
            self._changes.wait()
            self._changes.clear()
            try:
                self._request()
            except NornError as error:
                log.warning("no observation was requested after a change of the cluster", error=error.sentence)
            pause.wait(self._apart)
