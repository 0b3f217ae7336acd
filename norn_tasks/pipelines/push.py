"""A push that a webhook reported."""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.steps.pushes.comparison import ComparePush
from norn_tasks.steps.step import Step


def push(_job: Job) -> tuple[Step, ...]:
    """Lists the comparison, which asks for a deploy if one is needed."""
    return (ComparePush(),)
