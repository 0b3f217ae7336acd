"""The pipeline of a run: one container of a cron run, a function call or a one-off, from its start to its verdict."""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.steps.container import RunCommand, RunContainer
from norn_tasks.steps.step import Step


def run(_job: Job) -> tuple[Step, ...]:
    """Returns the step that runs one container."""
    return (RunContainer(),)


def oneoff(_job: Job) -> tuple[Step, ...]:
    """Returns the step that runs one container, whose output a client can read while it runs."""
    return (RunCommand(),)
