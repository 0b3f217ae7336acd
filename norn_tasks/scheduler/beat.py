"""Norn's Celery beat: `celery -A norn_tasks.celery_app beat -S norn_tasks.scheduler.beat:NornScheduler`.

Celery's own schedule stays empty and no file is kept: every tick is one turn of our loop over the database.
"""

from __future__ import annotations

from typing import Any

from celery.beat import Scheduler

from norn_tasks.celery_app import Waker
from norn_tasks.logs import configure
from norn_tasks.scheduler.housekeeping import Housekeeping
from norn_tasks.scheduler.loop import BeatLoop
from norn_tasks.settings import load
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database


class NornScheduler(Scheduler):
    """A beat without entries of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._loop: BeatLoop | None = None
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Connects to the database; the schedules are its rows."""
        settings = load()
        configure(settings)
        database = Database(settings.database_url, pool=3)
        Housekeeping(Database(settings.database_url, pool=1), settings).start()
        self._loop = BeatLoop(database, settings, Waker(settings.broker_url), Live(settings.broker_url))

    def tick(self, *_args: Any, **_kwargs: Any) -> float:
        """Does one turn, which sleeps as long as it may; Celery is told not to sleep on top of it."""
        assert self._loop is not None, "beat was not set up"
        self._loop.turn()
        return 0.0
