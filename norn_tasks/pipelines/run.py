"""A run: one container of a cron run or a function call, from its start to its judgement."""

from norn_tasks.domain.job import Job
from norn_tasks.steps.container import RunContainer
from norn_tasks.steps.step import Step


def run(_job: Job) -> tuple[Step, ...]:
    """One container."""
    return (RunContainer(),)
