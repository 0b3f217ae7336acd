"""A worker process: claims jobs of its class, one after the other, and runs each while a thread renews its lease."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import structlog

from norn_tasks.celery_app import Waker
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.pipelines.runner import Runner
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database, Row
from norn_tasks.store.fleet import workers
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue import readiness
from norn_tasks.store.queue.claims import Claimer
from norn_tasks.store.queue.readiness import ReadyWork
from norn_tasks.worker.engines import EngineIdentity
from norn_tasks.worker.leases import LeaseKeeper
from norn_tasks.worker.shares import Shares

log = structlog.get_logger()
PASS_ON_SECONDS = 0.5


class _ShareFull(Exception):
    """Raised when another thread has taken the last slot of a job's share after the job's claim began."""


class _Admission:
    """Counts one claimed job in its share (the slots that one app may use), and undoes this if the claim is rolled
    back.
    """

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._counted: tuple[JobKind, str] | None = None

    def __call__(self, row: Row) -> None:
        kind, app = JobKind(row["kind"]), str(row["app"])
        if not self._shares.enter(kind, app, adopts=row["adopt"]):
            raise _ShareFull
        self._counted = kind, app

    def undo(self) -> None:
        if self._counted is not None:
            self._shares.leave(*self._counted)


@dataclass(frozen=True)
class WorkerProcess:
    """Everything that one process needs to run jobs of one class."""

    name: str
    job_class: JobClass
    settings: Settings
    database: Database
    live: Live
    waker: Waker
    leases: LeaseKeeper
    engine: EngineIdentity
    runner: Runner
    shares: Shares

    def work(self) -> int:
        """Runs ready jobs of the class until none is left, or until the worker drains; returns how many it ran."""
        count = 0
        while not self.leases.draining:
            job = self._claim()
            if job is None:
                break
            try:
                self._run(job)
            finally:
                self.shares.leave(job.kind, job.app)
            count += 1
        if count == 0 and not (self.engine.complete or self.leases.draining):
            self._pass_on()
        return count

    def _pass_on(self) -> None:
        """Passes a wake-up on to another worker, because this one cannot take all waiting jobs.

        It pauses first, so that another worker gets the wake-up. While the home engine is unreachable, it does this
        only if another worker's engine answers; otherwise wake-ups would pile up.
        """
        capabilities = self.engine.capabilities
        try:
            with self.database.transaction() as tx:
                all_ready, mine = readiness.startable(tx), readiness.startable(tx, capabilities)
                if self.engine.standing.home and not workers.others_could(tx, self.name, self.job_class):
                    return
        except DatabaseDown:
            return
        could = 0 if self.engine.standing.refused else self._of_my_class(mine)
        if self._of_my_class(all_ready) > could:
            time.sleep(PASS_ON_SECONDS)
            self.waker.wake(self.job_class)

    def _of_my_class(self, waiting: list[ReadyWork]) -> int:
        return sum(each.ready for each in waiting if each.job_class is self.job_class)

    def _claim(self) -> Job | None:
        """Claims a job. A worker that changes apps first asks its engine, and leaves changes to other workers if the
        engine is unreachable.

        Before a call or a cron run it does not ask, because these are too frequent, and end immediately if their engine
        is dead.
        """
        self.engine.refresh(None if self.job_class.runs_code else 0.0)
        if self.engine.standing.refused:
            return None
        claimer = Claimer(
            self.name,
            self.job_class,
            self.engine.id,
            self.settings.lease_seconds,
            self.settings.max_claims,
            self.engine.capabilities,
        )
        try:
            job = self._taken(replace(claimer, last_resort=self._last_resort()))
            return None if job is None else replace(job, here=dict(self.engine.ids))
        except DatabaseDown as error:
            log.warning("cannot claim", worker=self.name, error=error.sentence)
            return None

    def _taken(self, claimer: Claimer) -> Job | None:
        """Claims a job whose share is not full; tries again if another thread was faster."""
        while True:
            admission = _Admission(self.shares)
            try:
                return take(self.database, replace(claimer, full=self.shares.full()), admission)
            except _ShareFull:
                continue
            except BaseException:
                admission.undo()
                raise

    def _last_resort(self) -> frozenset[str]:
        """Returns the capabilities of an unreachable engine, if no other worker has them.

        Then a change of an app ends with the engine's error, and a run waits.
        """
        if self.engine.id is not None or self.job_class.runs_code:
            return frozenset()
        with self.database.transaction() as tx:
            others = workers.others_could(tx, self.name, self.job_class)
        return frozenset() if others else self.engine.once_back

    def _run(self, job: Job) -> None:
        about = structlog.contextvars.bound_contextvars(job=job.id, app=job.app, kind=str(job.kind))
        with about, self.leases.holding(job.fence) as stop:
            log.info("job begins", claims=job.claims)
            if job.execution is not None and job.execution.adopt:
                self.leases.look()  # the job may already be cancelled
            state = self.runner.run(job, stop)
            log.info("job ends", state=str(state))
        if job.execution is not None and state is not None:
            self.live.announce_end(job.execution.id)
        if self.leases.draining:
            self.waker.wake(self.job_class)
