"""Observing: a look at cluster and engine, with what was left behind removed; and what people see of live replicas."""

from norn_tasks.domain.job import Job
from norn_tasks.steps.observation import (
    LookAtCluster,
    LookAtEngine,
    LookAtImages,
    ReadLogs,
    RemoveOrphans,
    RunInReplica,
)
from norn_tasks.steps.step import Step


def observe(_job: Job) -> tuple[Step, ...]:
    """Statuses first, tidying next."""
    return (LookAtCluster(), LookAtEngine(), RemoveOrphans(), LookAtImages())


def read_logs(_job: Job) -> tuple[Step, ...]:
    """One app's logs."""
    return (ReadLogs(),)


def execute(_job: Job) -> tuple[Step, ...]:
    """A program in a replica, for somebody who is there."""
    return (RunInReplica(),)
