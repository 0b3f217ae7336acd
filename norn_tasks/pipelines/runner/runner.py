"""The runner of a worker process."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from norn_tasks.domain.errors import DatabaseDown, LeaseLost, Stopped
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobState
from norn_tasks.pipelines.runner.job_run import JobRun
from norn_tasks.pipelines.runner.needs import RunnerParts, RunnerStop

log = structlog.get_logger()


@dataclass(frozen=True)
class Runner(RunnerParts):
    """Runs jobs with the tools of this worker process."""

    def run(self, job: Job, stop: RunnerStop) -> JobState | None:
        """Runs the job to its end and returns its state; None if the job was handed back, lost, or left to the
        sweeper.
        """
        try:
            return JobRun(self, job, stop).through()
        except (LeaseLost, Stopped):  # Stopped is raised by the cleanup after the job's end
            log.warning("lease lost", job=job.id, token=job.fence.token)
        except DatabaseDown as error:
            log.warning("job left to the sweeper", job=job.id, error=error.sentence)
        return None
