"""A worker process: claims jobs of its class, one after the other, and runs each while a thread renews its lease."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from norn_tasks.celery_app import Waker
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.pipelines.runner import Runner
from norn_tasks.settings import Settings
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.batches import Batches
from norn_tasks.store.database.session import Database, Row
from norn_tasks.store.fleet import workers
from norn_tasks.store.ledger.taking import Taken, take, take_together
from norn_tasks.store.queue import readiness
from norn_tasks.store.queue.claims import Claimer
from norn_tasks.store.queue.readiness import ReadyWork
from norn_tasks.worker.engines import EngineIdentity
from norn_tasks.worker.leases import LeaseKeeper
from norn_tasks.worker.shares import Shares

log = structlog.get_logger()
PASS_ON_SECONDS = 0.5

Claimed = tuple[Job, float]
"""A claimed job, and the moment of the monotonic clock before its claim: its lease began at that moment or later."""


class _ShareFull(Exception):
    """Raised when another thread has taken the last slot of a job's share after the job's claim began."""


class _Admission:
    """The admission of a claim: it counts jobs in their shares, and undoes the count of jobs that were not claimed."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._counted: Counter[tuple[JobKind, str]] = Counter()

    def __call__(self, row: Row) -> None:
        if not self.enter(JobKind(row["kind"]), str(row["app"]), adopts=row["adopt"]):
            raise _ShareFull

    def enter(self, kind: JobKind, app: str, *, adopts: bool = False) -> bool:
        """Counts a job; returns False if its share is full."""
        entered = self._shares.enter(kind, app, adopts=adopts)
        self._counted[kind, app] += entered
        return entered

    def keep(self, jobs: Iterable[Job]) -> None:
        """Undoes the count of every job except these."""
        self._counted.subtract((job.kind, job.app) for job in jobs)
        for kind, app in self._counted.elements():
            self._shares.leave(kind, app)


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
    _claims: Batches[None, Claimed | None] = field(init=False, repr=False)

    def work(self) -> int:
        """Runs ready jobs of the class until none is left, or until the worker drains; returns how many it ran."""
        count = 0
        while not self.leases.draining:
            claimed = self._claim()
            if claimed is None:
                break
            job, since = claimed
            try:
                self._run(job, since)
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

    def __post_init__(self) -> None:
        claims: Batches[None, Claimed | None] = Batches(lambda wanted: self._claimed_together(len(wanted)))
        object.__setattr__(self, "_claims", claims)

    def _claim(self) -> Claimed | None:
        """Claims a job. Threads that want a run at the same moment claim together, in one transaction."""
        return self._claims.ask(None) if self.job_class.runs_code else next(iter(self._claimed(1)), None)

    def _claimed_together(self, count: int) -> list[Claimed | None]:
        jobs = self._claimed(count)
        return [*jobs, *[None] * (count - len(jobs))]

    def _claimed(self, count: int) -> list[Claimed]:
        """Claims at most `count` jobs.

        A worker that changes apps asks its engine first, and leaves changes to others if the engine is away.

        For calls and cron runs, an answer that is some seconds old is good enough: they are too frequent to ask each
        time, and end immediately if their engine is dead.
        """
        self.engine.refresh(None if self.job_class.runs_code else 0.0)
        if self.engine.standing.refused:
            return []
        claimer = Claimer(
            self.name,
            self.job_class,
            self.engine.id,
            self.settings.lease_seconds,
            self.settings.max_claims,
            self.engine.capabilities,
        )
        try:
            jobs = self._several(replace(claimer, last_resort=self._last_resort()), count)
        except DatabaseDown as error:
            log.warning("cannot claim", worker=self.name, error=error.sentence)
            return []
        return [(replace(job, here=dict(self.engine.ids)), since) for job, since in jobs]

    def _several(self, claimer: Claimer, count: int) -> list[Claimed]:
        """Takes jobs until there are `count`, or none is left that fits; the last ones are taken one at a time."""
        jobs: list[Claimed] = []
        while len(jobs) < count:
            since = time.monotonic()
            try:
                more = self._some(claimer, count - len(jobs))
            except DatabaseDown:
                if not jobs:
                    raise
                break  # the jobs that are claimed already must run
            if not more:
                break
            jobs += [(job, since) for job in more]
        return jobs

    def _some(self, claimer: Claimer, count: int) -> Sequence[Job]:
        taken = self._together(claimer, count) if count > 1 else Taken()
        if taken.jobs or not taken.due:
            return taken.jobs
        alone = self._taken(claimer)
        return () if alone is None else (alone,)

    def _together(self, claimer: Claimer, count: int) -> Taken:
        admission = _Admission(self.shares)
        taken = Taken()
        try:
            taken = take_together(self.database, replace(claimer, full=self.shares.full()), count, admission.enter)
        finally:
            admission.keep(taken.jobs)
        return taken

    def _taken(self, claimer: Claimer) -> Job | None:
        """Claims a job whose share is not full; tries again if another thread was faster."""
        while True:
            admission = _Admission(self.shares)
            try:
                return take(self.database, replace(claimer, full=self.shares.full()), admission)
            except _ShareFull:
                continue
            except BaseException:
                admission.keep(())
                raise

    def _last_resort(self) -> frozenset[str]:
        """Returns the capabilities that this worker lacks while its engine is unreachable, if no other worker has them.

        A change of an app then ends with the engine's error. A worker that runs code gets none, so its jobs wait.
        """
        if self.engine.id is not None or self.job_class.runs_code:
            return frozenset()
        with self.database.transaction() as tx:
            others = workers.others_could(tx, self.name, self.job_class)
        return frozenset() if others else self.engine.once_back

    def _run(self, job: Job, since: float) -> None:
        about = structlog.contextvars.bound_contextvars(job=job.id, app=job.app, kind=str(job.kind))
        with about, self.leases.holding(job.fence, since) as stop:
            if job.execution is None:  # a run says so in its row, and there may be hundreds per second
                log.info("job begins", claims=job.claims)
            if job.execution is not None and job.execution.adopt:
                self.leases.look()  # the job may already be cancelled
            state = self.runner.run(job, stop)
            log.info("job ends", state=str(state), claims=job.claims)
        if job.execution is not None and state is not None:
            self.live.announce_end(job.execution.id)
        if self.leases.draining:
            self.waker.wake(self.job_class)
