"""A worker process: claims jobs of its class one after the other, and runs each under a heartbeat."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from norn_tasks.celery_app import Waker
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.job import Job, JobClass
from norn_tasks.pipelines.runner import Runner
from norn_tasks.settings import Settings
from norn_tasks.store.claimed import take
from norn_tasks.store.claims import Claimer
from norn_tasks.store.live import Live
from norn_tasks.store.session import Database
from norn_tasks.worker.heart import Heart
from norn_tasks.worker.presence import EngineIdentity

log = structlog.get_logger()
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
        return count

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
            return take(self.database, claimer)
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
