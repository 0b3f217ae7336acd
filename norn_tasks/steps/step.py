"""The base class of all steps, and the context that a step gets: the job, the tools, and the watch.

The watch takes the output of the step; its `stop` is set when the step must stop.

A step decides what should exist; the ports create it. A step returns only what it learned, and the runner records that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from norn_tasks.domain.errors import ClusterDown, Conflict, ReleaseGone, SecretsMissing
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.facts import PublishedImage
from norn_tasks.domain.jobs.requests import TeardownJobRequest
from norn_tasks.domain.jobs.step import Learned, Resume
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.domain.secret import Sealed, Secret, current
from norn_tasks.domain.services import ServiceKind, bucket_variables, to_database
from norn_tasks.ports import Cluster, Engine, Hooks, Runtime, Tools, Volumes, Watch

T = TypeVar("T")


@dataclass(frozen=True)
class StepContext:
    """The context of a step; `hidden` are the app's secrets, which are hidden in captured output."""

    job: Job
    tools: Tools
    watch: Watch
    hooks: Hooks
    hidden: Redaction = NOTHING_HIDDEN

    @property
    def spec(self) -> Infraspec:
        """The infraspec that applies to the job; every job with steps about an app has one."""
        assert self.job.spec is not None, f"job {self.job.id} carries no spec"
        return self.job.spec

    @property
    def purges(self) -> bool:
        """True for a teardown that keeps nothing. `norn forge --force` tears the app down first, but keeps all data."""
        return isinstance(self.job.request, TeardownJobRequest) and self.job.request.purge

    def require_hideable(self) -> None:
        """Raises SecretsLocked if a secret cannot be decrypted, because then its value could not be hidden in
        output.
        """
        for sealed in self.job.sealed:
            self.tools.vault.open(sealed)

    @property
    def cluster(self) -> Cluster:
        """The cluster of the job; raises ClusterDown if this worker does not have it."""
        name = self.job.cluster or ""
        found = self.tools.clusters.get(name)
        if found is None:
            raise ClusterDown(f"this worker does not have the cluster {name!r}", hint="norn worker list")
        return found

    @property
    def volumes(self) -> Volumes:
        """The app's volumes: those of its cluster if the cluster has its own, otherwise the engine's."""
        own = self.cluster.own_volumes(self.watch) if self.job.cluster is not None else None
        return own if own is not None else self.tools.volumes

    @property
    def published(self) -> str | None:
        """The reference of the release's image in the registry; None if it was never pushed."""
        learned = self.job.facts.get(PublishedImage)
        return learned.published if learned is not None else self.job.published

    def tag_of(self, image: str) -> str:
        """Returns the engine's tag of an image, for a cluster that does not know the engine's image ids; empty for
        other clusters.
        """
        if self.job.cluster is None or self.cluster.engine is not None:
            return ""
        found = self.tools.images.find(image)
        return found.tags[0] if found is not None and found.tags else ""

    @property
    def workspace(self) -> Path:
        """This job's private directory on this machine."""
        return self.tools.limits.workspace / f"job-{self.job.id}"

    @property
    def runtime(self) -> Runtime:
        """The runtime of the job's containers; raises Conflict or ClusterDown if this worker does not have it."""
        found = self.tools.runtimes.get(self.job.runtime)
        if found is None and self.job.runtime == self.job.cluster:
            raise ClusterDown(f"this worker does not have the cluster {self.job.cluster!r}", hint="norn worker list")
        if found is None:
            raise Conflict(
                f"this worker does not have the runtime {self.spec.runtime}, which the spec names",
                hint="set NORN_INCUS_SOCKET where one runs (docs/incus.md), or write runtime: docker",
            )
        return found

    @property
    def image_engine(self) -> Engine:
        """The engine that has the images, on which replicas run too."""
        return self.tools.engines[self.tools.images.engine]

    @property
    def named_secrets(self) -> tuple[Sealed, ...]:
        """The secrets that the infraspec names and that are set, and the credentials of its services."""
        return self._named(self.spec)

    @property
    def missing_secrets(self) -> tuple[str, ...]:
        """The names of secrets in the infraspec that are not set."""
        known = current(self.job.sealed)
        return tuple(name for name in self.spec.secrets if name not in known)

    def secrets(self, spec: Infraspec | None = None) -> dict[str, Secret]:
        """Decrypts the secrets that an infraspec (by default the job's) names, and the credentials of its services.

        The URL of PostgreSQL is changed to the database that this infraspec names: the stored URL may lead to the
        database of a later deploy that never went live. Raises SecretsMissing or SecretsLocked.
        """
        spec = spec or self.spec
        known = current(self.job.sealed)
        missing = tuple(name for name in spec.secrets if name not in known)
        if missing:
            what = "a secret that is" if len(missing) == 1 else "secrets that are"
            asked = " ".join(missing)
            raise SecretsMissing(
                f"{self.job.app} names {what} not set: {', '.join(missing)}",
                hint=f"norn secrets set {self.job.app} {asked}, then again",
            )
        opened = {each.name: self.tools.vault.open(each) for each in self._named(spec)}
        postgres, url = spec.services.postgres, ServiceKind.POSTGRES.variable
        if postgres is not None and url in opened:
            opened[url] = to_database(opened[url], self.job.app, postgres.database)
        storage, url = spec.services.storage, ServiceKind.STORAGE.variable
        if storage is not None and url in opened:
            opened |= bucket_variables(opened[url], storage.bucket)
        return opened

    def _named(self, spec: Infraspec) -> tuple[Sealed, ...]:
        """Returns the secrets that the infraspec names and the credentials of its services, as far as they are set.

        An app that went live before Norn had shared services has no credentials until its next forge or deploy.
        """
        known = current(self.job.sealed)
        return tuple(known[name] for name in (*spec.secrets, *spec.services.credentials()) if name in known)

    def remove_recorded(self) -> None:
        """Ends and removes the container that an earlier owner of the job recorded, if there is one."""
        container = self.job.container
        if container is not None:
            runtime = self.tools.runtimes[container.runtime]
            self.tools.engines[runtime.engine].remove(container.id)

    def with_image(self, action: Callable[[], T]) -> T:
        """Runs an action that needs the release's image. If the engine lacks the image, pulls it and runs the action
        again.

        If the image is missing, the action must raise ReleaseGone before it creates anything.
        """
        try:
            return action()
        except ReleaseGone:
            if not self._fetch_image():
                raise
            return action()

    def _fetch_image(self) -> bool:
        """Pulls the release's image, which this engine does not have; returns False if it was never pushed."""
        if self.published is None:
            return False
        if self.spec.image is not None:
            self.tools.registry_images.pull(self.published, self.job.app, self.watch)
        else:
            self.tools.images.pull(self.published, self.watch)
        return True


class Step(ABC):
    """A small idempotent part of a pipeline: running it again after its work is done changes nothing.

    `best_effort`: a failure is noted and the job continues. `stage`: the deployment's state while the step runs.
    `always`: the step runs even after the job has failed. `returns`: if the step fails, Norn returns to the live
    release. `patient`: it waits for an engine, a cluster or a service that is unreachable. `watched`: clients read its
    output while it runs, with stdout and stderr separate.
    """

    name: ClassVar[str]
    best_effort: ClassVar[bool] = False
    resume: ClassVar[Resume] = Resume.KEEP
    stage: ClassVar[DeploymentState | None] = None
    always: ClassVar[bool] = False
    returns: ClassVar[bool] = False
    patient: ClassVar[bool] = True
    watched: ClassVar[bool] = False

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns the reason to skip the step for this app; None if the app needs it."""
        return None

    def resumes(self, spec: Infraspec | None) -> Resume:
        """Returns how a resumed job treats the step; this may depend on the infraspec."""
        return self.resume

    @abstractmethod
    def run(self, context: StepContext) -> Learned | None:
        """Does the work of the step; raises an error of `domain.errors` if it cannot."""


class NotThereYet(Step):
    """A step of a feature that this server does not have. It is skipped for every app, with the reason."""

    @abstractmethod
    def skip_reason(self, spec: Infraspec) -> str:
        """Returns the reason, which names the feature that is missing."""

    def run(self, context: StepContext) -> Learned | None:
        """Does nothing, and is never called."""
        return None
