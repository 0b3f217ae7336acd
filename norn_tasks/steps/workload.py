"""The workload: the long-running containers of a webserver or worker, and the names under which they are reached."""

from __future__ import annotations

from dataclasses import replace

from norn_tasks.domain.deployment import DeploymentState
from norn_tasks.domain.errors import ReleaseGone
from norn_tasks.domain.infraspec import Infraspec, Role
from norn_tasks.domain.job import Job
from norn_tasks.domain.step import Learned, Resume
from norn_tasks.domain.writes import AddressReleased, AddressReserved, ReleaseLive, TornDown, WorkloadSeen
from norn_tasks.ports import Workload
from norn_tasks.steps.step import Context, Step

NO_IMAGE = "norn.invalid/{app}:none"
"""The image of a workload that was forged and never deployed."""


def replicas_of(job: Job, spec: Infraspec) -> int:
    """Answers how many should run: the override's number while the spec's has not changed since, else the spec's."""
    override = job.args.get("override")
    if override is not None and override["spec"] == spec.replicas:
        return int(override["replicas"])
    return spec.replicas


def workload_of(context: Context, image: str, replicas: int) -> Workload:
    """Builds the whole object; every apply comes from here."""
    job, spec = context.job, context.spec
    told = {"NORN_APP": job.app, "NORN_RELEASE": str(job.release or 0)}
    port = spec.port if spec.role is Role.WEBSERVER else None
    defaults = {"PORT": str(port)} if port is not None else {}
    argv = spec.argv()
    return Workload(
        app=job.app,
        release=job.release or 0,
        generation=generation_of(job),
        image=image,
        replicas=replicas,
        env={**defaults, **spec.env, **told},
        secrets=context.secrets() if replicas else {},
        hidden=context.hidden,
        argv=tuple(argv) if argv is not None else None,
        port=port,
        healthcheck=spec.healthcheck,
        internal_host=spec.internal_host,
        memory=spec.resources.memory,
        cpus=spec.resources.cpu,
    )


def generation_of(job: Job) -> int:
    """Answers which containers this job wants: its own, or (scale, return) those of the rollout it continues."""
    return int(job.args.get("generation") or job.id)


def frozen_image(job: Job) -> str:
    """Answers the image of the job's release: just built, or frozen into the job when it was accepted."""
    return str(job.facts.get("image_id") or job.args["image_id"])


def _live_workload(context: Context) -> Workload:
    workload = workload_of(context, frozen_image(context.job), replicas_of(context.job, context.spec))
    return replace(workload, mounts=context.tools.volumes.ready(context.job.app, context.spec.volumes))


def _empty_workload(context: Context) -> Workload:
    return workload_of(context, NO_IMAGE.format(app=context.job.app), 0)


class CreateDeployment(Step):
    """Makes what the app's replicas will need; before the first deploy nothing runs."""

    name = "create-deployment"

    def run(self, context: Context) -> Learned | None:
        """Prepares the cluster."""
        context.tools.cluster.prepare(_empty_workload(context), context.watch)
        return None


class CreateService(Step):
    """Makes the webserver reachable: its internal name, and the router's address that it keeps."""

    name = "create-service"

    def run(self, context: Context) -> Learned | None:
        """Learns `port`."""
        context.tools.cluster.expose(_empty_workload(context), context.watch)
        first, last = context.tools.limits.router_ports
        return Learned(writes=(AddressReserved(context.job.app, first, last),))


class RolloutImage(Step):
    """Declares the release as what should run."""

    name = "rollout-image"
    stage = DeploymentState.DEPLOYING

    def run(self, context: Context) -> Learned | None:
        """Applies the workload."""
        try:
            context.tools.cluster.apply(_live_workload(context), context.watch)
        except ReleaseGone:
            if not context.fetch_image():
                raise
            context.tools.cluster.apply(_live_workload(context), context.watch)
        return None


class AwaitRollout(Step):
    """Waits until the release is rolled out and healthy; only then is it live."""

    name = "await-rollout"
    resume = Resume.KEEP
    stage = DeploymentState.DEPLOYING
    returns = True

    def run(self, context: Context) -> Learned | None:
        """Makes the release the live one in the transaction that ends the rollout."""
        status = context.tools.cluster.await_rollout(_live_workload(context), context.watch)
        seen = WorkloadSeen((status,), complete=False)
        live = ReleaseLive(generation_of(context.job))
        return Learned(writes=(seen, live), note=f"{status.ready} of {status.wanted} ready")


class DeleteService(Step):
    """Takes the webserver's names away."""

    name = "delete-service"

    def run(self, context: Context) -> Learned | None:
        """Gives the router's address back."""
        context.tools.cluster.unexpose(context.job.app, context.watch)
        return Learned(writes=(AddressReleased(context.job.app),))


class DeleteDeployment(Step):
    """Stops and removes the app's replicas."""

    name = "delete-deployment"

    def run(self, context: Context) -> Learned | None:
        """Leaves nothing of the app that runs."""
        context.tools.cluster.dismantle(context.job.app, context.watch)
        return Learned(writes=(TornDown(),))
