"""The move of an app to another cluster. Both clusters serve until the app is healthy on the new one and its address
leads there.
"""

from __future__ import annotations

from norn_tasks.domain.errors import StepFailed
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.facts import LeftCluster, PublishedImage
from norn_tasks.domain.jobs.placement import place_of
from norn_tasks.domain.jobs.requests import ForgeJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import AppMoved, ImagePublished, ReleaseLive, WorkloadSeen
from norn_tasks.steps.step import Step, StepContext
from norn_tasks.steps.workload import frozen_image, generation_of, new_workload

_SHORT = 12


class PublishLiveImage(Step):
    """Pushes the image of the live release to the registry, if it was never pushed, because the nodes of Kubernetes
    pull it from there.
    """

    name = "publish-image"

    def run(self, context: StepContext) -> Learned | None:
        """Returns the fact with the reference by which nodes pull the image. Skips the push if the image was already
        pushed, or if no registry is configured.
        """
        if context.published is not None:
            return Learned(skipped=True, note="the image is in the registry")
        app, image = context.job.app, frozen_image(context.job)
        name = f"norn-{context.tools.limits.instance}/{app}:{image.rpartition(':')[2][:_SHORT]}"
        reference = context.tools.images.publish(image, name, context.watch)
        if reference is None:
            return Learned(skipped=True, note="no registry configured")
        published = ImagePublished(reference, place_of(context.spec, apart=True))
        return Learned(facts=(PublishedImage(reference),), writes=(published,))


class MoveApp(Step):
    """Rolls the release out on the new cluster, and makes the app's address lead there when it is healthy."""

    name = "move-app"
    stage = DeploymentState.DEPLOYING

    def run(self, context: StepContext) -> Learned | None:
        """Makes the release live, and records the new cluster of the app, in the transaction that ends the rollout.
        Raises StepFailed if the app has volumes by now.
        """
        if context.spec.volumes:
            raise StepFailed(
                f"{context.job.app} has volumes now, and a move does not copy what is in them",
                hint="the app stays where it is",
            )
        workload, cluster = new_workload(context), context.cluster
        status = cluster.await_rollout(workload, context.watch)
        entrance = cluster.entrance(workload, context.watch)
        left = context.job.request_as(ForgeJobRequest).move_from or ""
        moved, seen = AppMoved(cluster.name, entrance), WorkloadSeen(cluster.name, (status,), complete=False)
        writes = (moved, seen, ReleaseLive(generation_of(context.job)))
        return Learned(facts=(LeftCluster(left),), writes=writes, note=f"{status.ready} of {status.wanted} ready")


class LeaveCluster(Step):
    """Removes the app from the cluster that it has left; after a failed move, from the new cluster.

    Open requests of the replicas end first.
    """

    name = "leave-cluster"
    always = True

    def run(self, context: StepContext) -> Learned | None:
        """Removes everything of the app from the cluster to which no requests go."""
        left = context.job.facts.get(LeftCluster)
        name = left.left if left is not None else context.job.cluster or ""
        cluster = context.tools.clusters[name]
        if left is None:
            cluster.withdraw(context.job.app, context.watch)
        cluster.dismantle(context.job.app, context.watch)
        return Learned(note=f"{context.job.app} no longer runs on {name}")
