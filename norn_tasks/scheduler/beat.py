"""Norn's scheduler for Celery's beat: `celery -A norn_tasks.celery_app beat -S
norn_tasks.scheduler.beat:NornScheduler`.

Celery's own schedule stays empty, and no schedule file exists. Each of beat's ticks runs one turn of Norn's own loop.
"""

from __future__ import annotations

from typing import Any

from celery.beat import Scheduler

from norn_tasks.celery_app import Waker
from norn_tasks.logs import configure
from norn_tasks.scheduler.housekeeping import Housekeeping
from norn_tasks.scheduler.loop import BeatLoop
from norn_tasks.settings import load
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.opening import SELDOM, open_database


class NornScheduler(Scheduler):
    """A Celery scheduler without entries."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._loop: BeatLoop | None = None
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Connects to the database, because the schedules are rows there."""
        settings = load()
        configure(settings)
        database = open_database(settings, "beat", 3, ping_after_idle=SELDOM)
        Housekeeping(open_database(settings, "beat", 2, ping_after_idle=SELDOM), settings).start()
        self._loop = BeatLoop(database, settings, Waker(settings.broker_url), Live(settings.broker_url))

    def tick(self, *_args: Any, **_kwargs: Any) -> float:
        """Runs one turn of the loop, which sleeps by itself; returns 0 so that Celery does not sleep too."""
        assert self._loop is not None, "beat was not set up"
        self._loop.turn()
        return 0.0
