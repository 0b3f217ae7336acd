"""Helpers for the tests of schedules: cron apps, simulated outages of the scheduler, its rounds, and runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import select, text, update

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.store.cron import deciding, effective, gaps
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.tables import CronExecutionRow, CronStateRow, CronTickRow, JobRow
from norn_tasks.worker.leases import JobStop
from norn_tasks.worker.output import StepOutput
from tests import factories
from tests.fakes.runtime import Does, FakeRuntime
from tests.fakes.volumes import FakeVolumes

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Cron:
    """A database with cron apps, and the actions of a scheduler ("beat") and of a worker on it."""

    database: Database

    def add(self, app: str, schedule: str = "* * * * *", more: str = "", *, at_once: int = 1) -> None:
        """Makes a deployed cron app; `more` are lines of its infraspec."""
        wanted = f"{more}\nschedule: '{schedule}'\n" if more else f"schedule: '{schedule}'\n"
        factories.add_live_cron(self.database, app, wanted, at_once=at_once)

    def outage(self, app: str, ago: timedelta) -> datetime:
        """Simulates that no scheduler ran for the time `ago` by moving the times in the app's row into the past.
        Returns the beginning of the outage.
        """
        with self.database.transaction() as tx:
            since = effective.clock(tx) - ago
            row = tx.execute(select(CronStateRow).where(CronStateRow.app == app)).mappings().one()
            anchor = row["anchor"] - ago
            due = effective.effective(row).next_after(since, anchor)
            values = {"decided_until": since, "next_due": due, "anchor": anchor}
            tx.execute(update(CronStateRow).where(CronStateRow.app == app).values(values))
        return since

    def round(self, decider: str = "beat") -> int:
        """Does one round of the scheduler: due occurrences first, then those that an outage left undecided. Returns the
        number of accepted runs.
        """
        with self.database.transaction() as tx:
            started = deciding.decide(tx, deciding.due_rows(tx, 10_000), effective.clock(tx), decider).started
        looked = True
        while looked:
            with self.database.transaction() as tx:
                settled = gaps.settle(tx, decider)
            started, looked = started + settled.started, settled.looked > 0
        return started

    def claim(self, worker: str = "w1") -> Job:
        """Claims the next run as a worker."""
        return factories.claim(self.database, worker, JobClass.CRON)

    def begun(self, job: Job) -> None:
        """Records that the code of a claimed run began, in a container."""
        ledger = Ledger(self.database, patience=1)
        ledger.record_container(job.fence, factories.container(f"norn-x-{job.required_execution().id}"))
        ledger.begin_code(job.fence, job.required_execution().runs)

    def ended(self, job: Job, state: JobState = JobState.SUCCEEDED) -> None:
        """Records the end of a claimed run."""
        Ledger(self.database, patience=1).finish(job.fence, state)

    def play(
        self,
        job: Job,
        does: Does,
        runtime: FakeRuntime | None = None,
        stop: JobStop | None = None,
        *,
        patience: float = 0.0,
    ) -> JobState | None:
        """Lets the runner carry out a claimed run, on an engine in memory."""
        runtime = runtime or FakeRuntime()
        runtime.default = does
        runtime.on.id = factories.ENGINE  # the engine of the workers that claim runs
        limits = Limits(1, 2**20, 1, engine_patience=patience, workspace=None, instance="t")  # type: ignore[arg-type]
        tools = cast(
            Tools,
            SimpleNamespace(
                limits=limits, runtimes={"docker": runtime}, engines={"docker": runtime.on}, volumes=FakeVolumes()
            ),
        )
        return Runner(Ledger(self.database, patience=1), tools, StepOutput(self.database)).run(job, stop or JobStop())

    def ticks(self, app: str | None = None) -> list[Any]:
        """Returns the rows of the ledger of occurrences, oldest first."""
        query = select(CronTickRow).order_by(CronTickRow.scheduled_for)
        return self.rows(query if app is None else query.where(CronTickRow.app == app))

    def verdicts(self, app: str | None = None) -> list[tuple[str, int]]:
        """Returns verdict and number of occurrences of each row of the ledger, oldest first."""
        return [(tick.verdict, tick.how_many) for tick in self.ticks(app)]

    def jobs(self) -> list[Any]:
        """Returns the jobs, oldest first."""
        return self.rows(select(JobRow).order_by(JobRow.id))

    def runs(self) -> list[Any]:
        """Returns the executions, oldest first."""
        return self.rows(select(CronExecutionRow).order_by(CronExecutionRow.id))

    def rows(self, query: Any) -> list[Any]:
        """Returns the rows of a query."""
        with self.database.transaction() as tx:
            return list(tx.execute(query))

    def execute(self, statement: str, **bound: Any) -> None:
        """Changes rows, for example to simulate that time has passed."""
        with self.database.transaction() as tx:
            tx.execute(text(statement), bound)

    def now(self) -> datetime:
        """Returns the database's clock."""
        with self.database.transaction() as tx:
            return effective.clock(tx)


def minute(moment: datetime) -> datetime:
    """Returns the beginning of the minute that contains a time."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
