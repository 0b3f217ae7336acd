"""Beat as a thread of another process: `norn up` runs it beside the workers' jobs, to save the memory of a process.

It runs the same loop and tasks as the process `beat`. If a turn of the loop fails, the loop goes on after a second: the
failure must not end the jobs of this process, and without beat no schedule would be decided.
"""

from __future__ import annotations

import threading

import structlog

from norn_tasks.celery_app import Waker
from norn_tasks.scheduler.housekeeping import Housekeeping
from norn_tasks.scheduler.loop import BeatLoop
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database

log = structlog.get_logger()
AGAIN_SECONDS = 1.0
CONNECTIONS = 5
"""The connections that the loop and the housekeeping may use at once."""


class BeatThread:
    """A thread that runs beat; it ends with its process, or after `stop`.

    `database`: CONNECTIONS of its connections may be used. `failures`: how many turns have failed.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self.failures = 0
        self._stopped = threading.Event()

    def start(self) -> None:
        """Starts the loop, and the housekeeping beside it."""
        Housekeeping(self._database, self._settings).start()
        live, waker = Live(self._settings.broker_url), Waker(self._settings.broker_url)
        loop = BeatLoop(self._database, self._settings, waker, live)
        threading.Thread(target=self._turn_often, args=(loop,), name="norn-beat", daemon=True).start()

    def stop(self) -> None:
        """Lets the loop end after its turn."""
        self._stopped.set()

    def _turn_often(self, loop: BeatLoop) -> None:
        while not self._stopped.is_set():
            try:
                loop.turn()
            except Exception:
                # Without this thread no schedule is decided, and no job is swept.
                self.failures += 1
                log.exception("a turn of beat failed, and beat goes on")
                self._stopped.wait(AGAIN_SECONDS)
