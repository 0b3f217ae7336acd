"""Telling somebody outside."""

from norn_tasks.domain.job import Job
from norn_tasks.steps.notification import CallDeadMan, SendNotification
from norn_tasks.steps.step import Step


def notify(_job: Job) -> tuple[Step, ...]:
    """One try of one delivery."""
    return (SendNotification(),)


def call_deadman(_job: Job) -> tuple[Step, ...]:
    """One call."""
    return (CallDeadMan(),)
