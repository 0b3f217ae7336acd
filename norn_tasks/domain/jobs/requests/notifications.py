"""Requests of jobs that send messages to outside services: notifications, and calls of the dead man's switch."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests.base import JobRequest


@dataclass(frozen=True)
class NotifyJobRequest(JobRequest):
    """Tries to deliver a notification once."""

    kind = JobKind.NOTIFY

    delivery: int
    """The id of the delivery."""
    attempt: int
    """The number of this attempt, from 1."""


@dataclass(frozen=True)
class CallDeadManJobRequest(JobRequest):
    """Calls the address of an outside service, which raises an alarm if these calls stop."""

    kind = JobKind.CALL_DEADMAN
