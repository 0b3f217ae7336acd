"""The pipelines that observe: clusters, engines, and the logs and programs of live replicas."""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.requests import ObserveJobRequest
from norn_tasks.steps.external.access import FetchAccessKeys
from norn_tasks.steps.external.edge import LookAtEdge
from norn_tasks.steps.external.look import LookAtTunnel
from norn_tasks.steps.log_lines import ReadLogs
from norn_tasks.steps.observation import (
    EndDrained,
    LookAtCluster,
    LookAtEngines,
    LookAtImages,
    LookAtNetwork,
    RemoveOrphans,
    RunInReplica,
)
from norn_tasks.steps.services import LookAtDatabases
from norn_tasks.steps.step import Step
from norn_tasks.steps.workload import CompareWorkload


def observe(job: Job) -> tuple[Step, ...]:
    """Returns the steps that observe one of these: a cluster; the tunnel and the edge; the keys of Cloudflare Access;
    the apps' databases; or the engines, from which orphaned containers are also removed.

    Ending the draining replicas is a job of the same kind, because a job of this kind waits for no other change of an
    app.
    """
    if job.request_as(ObserveJobRequest).drained:
        return (EndDrained(),)
    if job.cluster is not None:
        return (LookAtCluster(),)
    if job.request_as(ObserveJobRequest).tunnel:
        return (LookAtTunnel(), LookAtEdge())
    if job.request_as(ObserveJobRequest).access:
        return (FetchAccessKeys(),)
    if job.request_as(ObserveJobRequest).databases:
        return (LookAtDatabases(),)
    return (LookAtEngines(), RemoveOrphans(), LookAtImages(), LookAtNetwork())


def compare(_job: Job) -> tuple[Step, ...]:
    """Returns the step that compares the running replicas of an app with its live release."""
    return (CompareWorkload(),)


def read_logs(_job: Job) -> tuple[Step, ...]:
    """Returns the step that reads one app's logs."""
    return (ReadLogs(),)


def execute(_job: Job) -> tuple[Step, ...]:
    """Returns the step that runs a program in a replica for a connected client."""
    return (RunInReplica(),)
