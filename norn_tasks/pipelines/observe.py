"""Observing: a full look at cluster and engine, with what was left behind removed; and reading live logs."""

from norn_tasks.domain.job import Job
from norn_tasks.steps.observation import LookAtCluster, LookAtEngine, ReadLogs, RemoveOrphans
from norn_tasks.steps.step import Step


def observe(_job: Job) -> tuple[Step, ...]:
    """Statuses first, tidying next."""
    return (LookAtCluster(), LookAtEngine(), RemoveOrphans())


def read_logs(_job: Job) -> tuple[Step, ...]:
    """One app's logs."""
    return (ReadLogs(),)
