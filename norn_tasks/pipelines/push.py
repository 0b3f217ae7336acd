"""The pipelines of a push that a webhook reported, and of a poll of repositories that have no webhook."""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.steps.pushes.comparison import ComparePush
from norn_tasks.steps.pushes.polling import AskRepositories
from norn_tasks.steps.step import Step


def push(_job: Job) -> tuple[Step, ...]:
    """Returns the step that compares the push with the live release, and requests a deploy if one is needed."""
    return (ComparePush(),)


def poll(_job: Job) -> tuple[Step, ...]:
    """Returns the step that asks git for the newest commits."""
    return (AskRepositories(),)
