"""The workload: the long-running containers of a webserver or worker, and the names under which clients reach them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from norn_tasks.domain.infraspec import Infraspec, Role
from norn_tasks.domain.jobs.app_status import DRAINING, WorkloadStatus
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.facts import BuiltImage, ServiceAddress
from norn_tasks.domain.jobs.requests import ForgeJobRequest, Overridable, ReplicasJobRequest, RestartJobRequest
from norn_tasks.domain.jobs.scale import wanted_replicas
from norn_tasks.domain.jobs.step import Learned, Resume
from norn_tasks.domain.jobs.writes import AppExposed, AppUnexposed, DriftSeen, ReleaseLive, TornDown, WorkloadSeen
from norn_tasks.ports import Workload
from norn_tasks.steps.environment import environment_of
from norn_tasks.steps.step import Step, StepContext

NO_IMAGE = "norn.invalid/{app}:none"
"""The image name in the workload of an app that was forged and never deployed."""


def replicas_of(job: Job, spec: Infraspec) -> int:
    """Returns the number of replicas that the job rolls out."""
    override = job.request.override if isinstance(job.request, Overridable) else None
    if override is None:
        return wanted_replicas(spec.replicas, None, None)
    return wanted_replicas(spec.replicas, override.replicas, override.spec)


@dataclass(frozen=True)
class Version:
    """A version of an app to run: a release and a generation, with the infraspec, the image and the number of
    replicas.
    """

    release: int
    generation: int
    spec: Infraspec
    image: str
    replicas: int
    published: str | None = None
    """The reference of the image in the registry; none if it was never pushed."""


def workload_of(context: StepContext, version: Version) -> Workload:
    """Returns the complete workload of a version. Every call of a cluster uses this function."""
    job, spec = context.job, version.spec
    port = spec.port if spec.role is Role.WEBSERVER else None
    argv = spec.argv()
    return Workload(
        app=job.app,
        release=version.release,
        generation=version.generation,
        image=version.image,
        published=version.published or "",
        tag=context.tag_of(version.image) if version.release and version.published is None else "",
        replicas=version.replicas,
        env=environment_of(replace(job, spec=spec, release=version.release)),
        secrets=context.secrets(spec) if version.replicas else {},
        services=bool(spec.services.grants()),
        hidden=context.hidden,
        argv=tuple(argv) if argv is not None else None,
        port=port,
        healthcheck=spec.checked.path,
        health=spec.health,
        recreate=spec.recreates(version.replicas),
        stop_grace=spec.stop_grace,
        stream_grace=_stream_grace(context, spec),
        proven=version.generation != job.id,
        internal_host=spec.internal_host,
        memory=spec.resources.memory or context.tools.limits.replica_memory,
        cpus=spec.resources.cpu,
    )


def _stream_grace(context: StepContext, spec: Infraspec) -> int:
    """Returns how many seconds a replaced replica may keep its open connections: none in a restart that says `now`."""
    request = context.job.request
    if isinstance(request, RestartJobRequest) and request.now:
        return 0
    return context.tools.limits.stream_timeout if spec.stream_grace is None else spec.stream_grace


def generation_of(job: Job) -> int:
    """Returns the generation that the job rolls out: the existing one for a job such as a scale, which continues it;
    otherwise a new one.
    """
    continued = job.request.generation if isinstance(job.request, ReplicasJobRequest) else None
    return continued or job.id


def frozen_image(job: Job) -> str:
    """Returns the image of the job's release: just built, or stored in the job when it was accepted."""
    built = job.facts.get(BuiltImage)
    if built is not None:
        return built.image_id
    if isinstance(job.request, ForgeJobRequest) and job.request.image_id is not None:
        return job.request.image_id
    return job.request_as(ReplicasJobRequest).image_id


def new_workload(context: StepContext) -> Workload:
    """Returns the workload that the job rolls out."""
    job, spec = context.job, context.spec
    image, replicas = frozen_image(job), replicas_of(job, spec)
    version = Version(job.release or 0, generation_of(job), spec, image, replicas, context.published)
    return _mounted(context, version)


def _present_workload(context: StepContext) -> Workload:
    """Returns the workload of the live release, which a forge leaves running; without a live release, a workload of 0
    replicas.
    """
    job, live = context.job, context.job.live
    if live is None:
        return workload_of(context, Version(0, job.id, context.spec, NO_IMAGE.format(app=job.app), 0))
    version = Version(live.n, live.generation, live.spec, live.image_id, replicas_of(job, live.spec), live.published)
    return _mounted(context, version)


def _mounted(context: StepContext, version: Version) -> Workload:
    mounts = context.volumes.ready(context.job.app, version.spec.volumes)
    return replace(workload_of(context, version), mounts=mounts)


class CreateDeployment(Step):
    """Creates the objects that the app's replicas will need; before the first deploy nothing runs."""

    name = "create-deployment"

    def run(self, context: StepContext) -> Learned | None:
        """Prepares the cluster with the workload of the live release, if there is one."""
        context.cluster.prepare(_present_workload(context), context.watch)
        return None


class CreateService(Step):
    """Makes the webserver reachable by its internal name, and by an address that never changes."""

    name = "create-service"

    def run(self, context: StepContext) -> Learned | None:
        """Records the address that the cluster returns."""
        address = context.cluster.expose(_present_workload(context), context.watch)
        exposed = AppExposed(context.job.app, address)
        return Learned(facts=(ServiceAddress(address),), writes=(exposed,), note=address)


class RolloutImage(Step):
    """Declares to the cluster that the release should run."""

    name = "rollout-image"
    stage = DeploymentState.DEPLOYING

    def run(self, context: StepContext) -> Learned | None:
        """Applies the workload."""
        context.with_image(lambda: context.cluster.apply(new_workload(context), context.watch))
        return None


class AwaitRollout(Step):
    """Waits until the release is rolled out and healthy; only then is it live."""

    name = "await-rollout"
    resume = Resume.KEEP
    stage = DeploymentState.DEPLOYING
    returns = True

    def run(self, context: StepContext) -> Learned | None:
        """Makes the release the live one in the transaction that ends the rollout."""
        workload = new_workload(context)
        status = context.cluster.await_rollout(workload, context.watch)
        seen = WorkloadSeen(context.cluster.name, (status,), complete=False)
        live = ReleaseLive(generation_of(context.job))
        return Learned(
            writes=(seen, live), note=f"{status.ready} of {status.wanted} ready{_order(workload)}{_draining(status)}"
        )


def _order(workload: Workload) -> str:
    """Returns the end of a note: it says that old replicas were stopped first, and is empty if they were not."""
    return "; old replicas were stopped first (rollout: recreate)" if workload.recreate else ""


def _draining(status: WorkloadStatus) -> str:
    """Returns the part of a note that says how many old replicas keep running for open connections."""
    number = sum(each.state == DRAINING for each in status.replicas)
    return f"; {number} old {'replica keeps' if number == 1 else 'replicas keep'} open connections" if number else ""


class CompareWorkload(Step):
    """Compares the running replicas of the app with its live release, to find changes that others have made."""

    name = "compare-workload"

    def run(self, context: StepContext) -> Learned | None:
        """Records the fields that differ; secrets in their values are hidden."""
        hidden = context.hidden.of_text
        found = tuple(
            replace(each, wanted=each.wanted and hidden(each.wanted), found=each.found and hidden(each.found))
            for each in context.cluster.drift(new_workload(context), context.watch)
        )
        note = f"{len(found)} fields differ" if found else "all is as Norn made it"
        return Learned(writes=(DriftSeen(context.job.app, found),), note=note)


class DeleteService(Step):
    """Removes the webserver's names."""

    name = "delete-service"

    def run(self, context: StepContext) -> Learned | None:
        """Removes the app's internal name and its address."""
        context.cluster.unexpose(context.job.app, context.watch)
        return Learned(writes=(AppUnexposed(context.job.app),))


class DeleteDeployment(Step):
    """Stops and removes the app's replicas."""

    name = "delete-deployment"

    def run(self, context: StepContext) -> Learned | None:
        """Stops and removes everything of the app that runs."""
        context.cluster.dismantle(context.job.app, context.watch)
        return Learned(writes=(TornDown(),))
