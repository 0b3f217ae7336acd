"""Deploy makes a release out of a revision and lets it go live; rollback lets an earlier one go live again."""

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.requests import DeployJobRequest, ImageSource
from norn_tasks.pipelines.forge import role_of
from norn_tasks.steps.image import BuildImage, ImportImage, PruneImages, PublishImage, TestImage
from norn_tasks.steps.registry.pulling import PullImage, ResolveImage
from norn_tasks.steps.secrets import SyncSecrets
from norn_tasks.steps.source import CloneSource, DiscardSource
from norn_tasks.steps.step import Step


def deploy(job: Job) -> tuple[Step, ...]:
    """Lists source, secrets, image, test, [release] and tidying: a missing secret is reported before the build.

    An image of a registry is its own source, and is published already.
    """
    if isinstance(job.request_as(DeployJobRequest).source, ImageSource):
        image = (SyncSecrets(), ResolveImage(), PullImage(), TestImage(), ImportImage())
        return (*image, *role_of(job).release, PruneImages(), DiscardSource())
    return (
        CloneSource(),
        SyncSecrets(),
        BuildImage(),
        TestImage(),
        PublishImage(),
        ImportImage(),
        *role_of(job).release,
        PruneImages(),
        DiscardSource(),
    )


def rollback(job: Job) -> tuple[Step, ...]:
    """Lists [release], with the image to return to frozen into the job; secrets are today's."""
    return (SyncSecrets(), *role_of(job).release)


def rescale(job: Job) -> tuple[Step, ...]:
    """Lists [release] of the live release: fresh containers (restart), or more or fewer of the same (scale, repair)."""
    return (SyncSecrets(), *role_of(job).release)
