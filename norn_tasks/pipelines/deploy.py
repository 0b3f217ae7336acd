"""The pipelines of deploy, which makes a release from a source revision and makes it live, and of rollback, which makes
an earlier release live again.
"""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.requests import DeployJobRequest, ImageSource, RestartJobRequest
from norn_tasks.pipelines.forge import role_of
from norn_tasks.steps.image import BuildImage, ImportImage, PruneImages, PublishImage, TestImage
from norn_tasks.steps.registry.pulling import PullImage, ResolveImage
from norn_tasks.steps.secrets import SyncSecrets
from norn_tasks.steps.services import MigrateDatabase, ProvisionServices, PruneSnapshots, SnapshotDatabase
from norn_tasks.steps.source import CloneSource, DiscardSource
from norn_tasks.steps.step import Step


def deploy(job: Job) -> tuple[Step, ...]:
    """Returns the steps for source, secrets, services, image, test and migration, the role's `release` steps, and the
    cleanup.

    A missing secret, or a database that belongs to another app, is reported before the build. An image from a registry
    needs no source and no build, and is already published.
    """
    if isinstance(job.request_as(DeployJobRequest).source, ImageSource):
        image = (SyncSecrets(), ProvisionServices(), ResolveImage(), PullImage(), TestImage(), ImportImage())
        migrated = (SnapshotDatabase(), MigrateDatabase(), *role_of(job).release)
        return (*image, *migrated, PruneImages(), PruneSnapshots(), DiscardSource())
    return (
        CloneSource(),
        SyncSecrets(),
        ProvisionServices(),
        BuildImage(),
        TestImage(),
        PublishImage(),
        ImportImage(),
        SnapshotDatabase(),
        MigrateDatabase(),
        *role_of(job).release,
        PruneImages(),
        PruneSnapshots(),
        DiscardSource(),
    )


def rollback(job: Job) -> tuple[Step, ...]:
    """Returns the role's `release` steps for the earlier image that the job names; secrets have their present
    values.
    """
    return (SyncSecrets(), ProvisionServices(), *role_of(job).release)


def rescale(job: Job) -> tuple[Step, ...]:
    """Returns the role's `release` steps for the live release, with more or fewer of the same replicas (scale,
    repair).
    """
    return (SyncSecrets(), *role_of(job).release)


def restart(job: Job) -> tuple[Step, ...]:
    """Returns the role's `release` steps for the live release, with new containers. A rotation of passwords first makes
    new passwords.
    """
    if not job.request_as(RestartJobRequest).rotate:
        return rescale(job)
    renewed = (SyncSecrets(), ProvisionServices(fresh=True))
    return (*renewed, *role_of(job).release) if role_runs(job) else renewed


def role_runs(job: Job) -> bool:
    """Returns True if the role of the app has replicas."""
    return job.spec is not None and job.spec.role.long_running
