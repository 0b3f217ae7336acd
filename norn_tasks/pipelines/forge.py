"""The pipelines of forge, which creates an app's infrastructure and applies the registered infraspec to the live
release, and of teardown, which removes both.
"""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.requests import ForgeJobRequest, TeardownJobRequest
from norn_tasks.roles import ROLES, RoleSteps
from norn_tasks.steps.comparison import CompareSpec
from norn_tasks.steps.image import RemoveImages
from norn_tasks.steps.log_lines import DeleteLogs
from norn_tasks.steps.moving import LeaveCluster, MoveApp, PublishLiveImage
from norn_tasks.steps.secrets import SyncSecrets
from norn_tasks.steps.services import ProvisionServices
from norn_tasks.steps.step import Step
from norn_tasks.steps.workload import RolloutImage

_MOVE = (RolloutImage(), MoveApp(), LeaveCluster())


def role_of(job: Job) -> RoleSteps:
    """Returns the steps of the role that the job's spec names."""
    assert job.spec is not None, f"job {job.id} carries no spec"
    return ROLES[job.spec.role]


def forge(job: Job) -> tuple[Step, ...]:
    """Returns the role's `provision` steps, and then its `release` steps if the forge makes a release.

    A forced forge begins with the `dismantle` steps, and makes no release. A forge that moves the app to another
    cluster makes a release there.
    """
    role = role_of(job)
    if job.request_as(ForgeJobRequest).move_from is not None:
        return (CompareSpec(), SyncSecrets(), ProvisionServices(), PublishLiveImage(), *_MOVE)
    if job.request_as(ForgeJobRequest).force:
        return (*role.dismantle, *role.provision)
    release = role.release if job.deployment is not None else ()
    later = {step.name for step in release}
    return (CompareSpec(), *(step for step in role.provision if step.name not in later), *release)


def teardown(job: Job) -> tuple[Step, ...]:
    """Returns the role's `dismantle` steps; with purge, also the steps that remove images and log lines."""
    purges = job.request_as(TeardownJobRequest).purge
    return (*role_of(job).dismantle, *((RemoveImages(), DeleteLogs()) if purges else ()))
