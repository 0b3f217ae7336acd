"""A worker process: claims jobs of its class one after the other, and runs each under a heartbeat."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import structlog

from norn_tasks.celery_app import Waker
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.job import Job, JobClass
from norn_tasks.pipelines.runner import Runner
from norn_tasks.settings import Settings
from norn_tasks.store import sweeper
from norn_tasks.store.claimed import take
from norn_tasks.store.claims import Claimer
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database
from norn_tasks.store.sweeper import Waiting
from norn_tasks.worker.heart import Heart
from norn_tasks.worker.presence import EngineIdentity

log = structlog.get_logger()
PASS_ON_SECONDS = 0.5
_NEED_AN_ENGINE = (JobClass.INVOKE, JobClass.CRON)
"""A run that any engine could do is left to a worker whose engine answers."""


@dataclass(frozen=True)
class WorkerProcess:
    """Everything that one process needs to run jobs of one class."""

    name: str
    job_class: JobClass
    settings: Settings
    database: Database
    live: Live
    waker: Waker
    heart: Heart
    engine: EngineIdentity
    runner: Runner

    def work(self) -> int:
        """Runs ready jobs of the class until there is none, or until the worker drains; answers how many."""
        count = 0
        while not self.heart.draining:
            job = self._claim()
            if job is None:
                break
            self._run(job)
            count += 1
        if count == 0 and not (self.engine.standing.home or self.heart.draining):
            self._pass_on()
        return count

    def _pass_on(self) -> None:
        """Hands on a wake-up that was not for this worker: away from home it cannot take all that waits.

        After a moment, so that another worker is the first to hear it; it ends with the job that it was sent for.
        """
        try:
            with self.database.transaction() as tx:
                ready, mine = sweeper.waiting(tx), sweeper.waiting(tx, self.engine.standing.places(self.engine.id))
        except DatabaseDown:
            return
        could = 0 if self.engine.standing.refused else self._of_my_class(mine)
        if self._of_my_class(ready) > could:
            time.sleep(PASS_ON_SECONDS)
            self.waker.wake(self.job_class)

    def _of_my_class(self, waiting: list[Waiting]) -> int:
        return sum(each.ready for each in waiting if each.job_class is self.job_class)

    def _claim(self) -> Job | None:
        self.engine.refresh()
        if self.engine.standing.refused or (self.engine.id is None and self.job_class in _NEED_AN_ENGINE):
            return None
        claimer = Claimer(
            self.name,
            self.job_class,
            self.engine.id,
            self.settings.lease_seconds,
            self.settings.max_claims,
            self.engine.standing,
        )
        try:
            job = take(self.database, claimer)
            return None if job is None else replace(job, here=claimer.engine)
        except DatabaseDown as error:
            log.warning("cannot claim", worker=self.name, error=error.sentence)
            return None

    def _run(self, job: Job) -> None:
        about = structlog.contextvars.bound_contextvars(job=job.id, app=job.app, kind=str(job.kind))
        with about, self.heart.holding(job.fence) as stop:
            log.info("job begins", claims=job.claims)
            state = self.runner.run(job, stop)
            log.info("job ends", state=str(state))
        if job.execution is not None and state is not None:
            self.live.announce_end(job.execution)
        if self.heart.draining:
            self.waker.wake(self.job_class)
