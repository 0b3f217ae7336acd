"""The claimed job: everything that a worker needs to know about a job that it carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.container import ContainerRef
from norn_tasks.domain.jobs.facts import NOTHING_LEARNED, Facts
from norn_tasks.domain.jobs.job import Fence, JobKind
from norn_tasks.domain.jobs.requests import JobRequest
from norn_tasks.domain.secret import Sealed

R = TypeVar("R", bound=JobRequest)


@dataclass(frozen=True)
class ExecutionRequest:
    """The execution of a job that runs code, as the row of the execution describes it."""

    id: int
    """The number of the execution."""
    image_id: str | None
    """The engine's id of the release's image; None when the release no longer has an image."""
    call: Call | None = None
    """The HTTP request, if the execution is a call; None for cron runs and one-offs."""
    scheduled_for: datetime | None = None
    """The time of a cron run: its occurrence, or when a person requested it; None for calls and one-offs."""
    sync: bool = False
    """True if a client waits for the end of the call."""
    deadline: datetime | None = None
    """The moment at which the client of a synchronous call stops waiting, by the database's clock."""
    remaining: float | None = None
    """The seconds from the claim to the deadline."""
    runs: int = 0
    """How often the code has been started."""
    max_runs: int = 1
    """How often the code may be started."""
    adopt: bool = False
    """True if the container of an earlier worker may still run. If it does, this worker waits for its end."""


@dataclass(frozen=True)
class LiveRelease:
    """The live release of an app, for the steps of a forge or a push."""

    n: int
    """Its number."""
    generation: int
    """The generation of its replicas."""
    image_id: str
    """Its image."""
    spec: Infraspec
    """Its spec."""
    published: str | None = None
    """The reference of its image in the registry."""
    revision: str | None = None
    """Its source revision."""


@dataclass(frozen=True)
class Job:
    """A job, as its worker knows it. Everything except the facts is as it was when the job was accepted or claimed."""

    id: int
    """The number of the job."""
    request: JobRequest
    """The arguments of its kind."""
    app: str
    """The app; empty for observations and notifications."""
    spec: Infraspec | None
    """The app's infraspec, as it was when the job was accepted; a deploy replaces it with the infraspec in its
    revision.
    """
    fence: Fence
    """The right to write for the job, which every write checks."""
    facts: Facts = NOTHING_LEARNED
    """The values that its steps have learned so far."""
    claims: int = 1
    """How many workers have claimed it so far, including this one."""
    release: int | None = None
    """The number of the release that it makes or runs."""
    deployment: int | None = None
    """The deployment that it carries out."""
    execution: ExecutionRequest | None = None
    """The execution of a job that runs code; None for the other kinds."""
    cluster: str | None = None
    """The cluster that has its app, or that it observes; None for the other jobs."""
    here: Mapping[str, str] = field(default_factory=dict)
    """The engines of the worker that claimed the job: the worker's name for each, and the engine's id."""
    container: ContainerRef | None = None
    """The container that an earlier worker recorded."""
    published: str | None = None
    """The reference of its release's image in the registry."""
    sealed: tuple[Sealed, ...] = ()
    """The app's encrypted secrets, as they were at the claim."""

    live: LiveRelease | None = None
    """The live release, for a forge or a push; None while the deploy of an earlier push is waiting."""

    @property
    def kind(self) -> JobKind:
        """The kind of its request."""
        return self.request.kind

    @property
    def runtime(self) -> str:
        """The runtime that starts the job's containers: the one in its infraspec or, for some one-offs, that of a
        cluster.

        A one-off has `cluster` only if its app runs on Kubernetes. That runtime has the same name as the cluster.
        """
        if self.kind is JobKind.RUN and self.cluster is not None:
            return self.cluster
        if self.spec is None:
            raise LookupError(f"job {self.id} carries no spec")
        return self.spec.runtime

    def request_as(self, kind: type[R]) -> R:
        """Returns the request, which must be of this class; raises LookupError when it is not."""
        if not isinstance(self.request, kind):
            raise LookupError(f"job {self.id} is of the kind {self.kind}, which has no {kind.__name__}")
        return self.request

    def required_execution(self) -> ExecutionRequest:
        """Returns the execution of a job that runs code; raises LookupError for a job of another kind."""
        if self.execution is None:
            raise LookupError(f"job {self.id} is of the kind {self.kind}, which runs no code")
        return self.execution
