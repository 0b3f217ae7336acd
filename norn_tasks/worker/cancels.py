"""Listens for cancelled jobs, so that a worker stops a job immediately and not at its next heartbeat.

If a notification is lost, the job stops at the next heartbeat, which reads the cancellation from the job's row.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing

import structlog

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.database.session import CANCELS, Database
from norn_tasks.worker.leases import LeaseKeeper

log = structlog.get_logger()
AGAIN_SECONDS = 5.0
WAIT_SECONDS = 60.0


class CancelListener:
    """The connection on which a worker process listens for cancelled jobs; it is opened again when it is lost."""

    def __init__(self, database: Database, url: str, *leases: LeaseKeeper) -> None:
        self._database, self._url, self._leases = database, url, leases
        threading.Thread(target=self._listen, name="norn-cancels", daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                self._hear()
            except DatabaseDown as error:
                log.warning("cancels are noticed only with the heartbeat", error=error.sentence)
            time.sleep(AGAIN_SECONDS)

    def _hear(self) -> None:
        with closing(self._database.listen(CANCELS, url=self._url)) as listener:
            for leases in self._leases:
                leases.look()  # for cancels whose notification was missed
            while True:
                for job in listener.wait(WAIT_SECONDS):
                    if job.isdigit():
                        self._pass_on(int(job))

    def _pass_on(self, job: int) -> None:
        for leases in self._leases:
            leases.heard_of_cancel(job)
