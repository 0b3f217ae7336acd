"""The pipelines that call outside services: the delivery of a notification, and the call of the dead man's switch."""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.steps.notification import CallDeadMan, SendNotification
from norn_tasks.steps.step import Step


def notify(_job: Job) -> tuple[Step, ...]:
    """Returns the step that tries one delivery once."""
    return (SendNotification(),)


def call_deadman(_job: Job) -> tuple[Step, ...]:
    """Returns the step that calls the dead man's switch once."""
    return (CallDeadMan(),)
