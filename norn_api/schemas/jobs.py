"""Models of jobs, deployments and releases."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from norn_api.schemas.common import Id, InPath, InQuery, ListQuery, RequestModel, ResponseModel, Text, Why
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState
from norn_tasks.domain.jobs.step import Resolution
from norn_tasks.domain.sources.source_tree import UPLOADED
from norn_tasks.domain.stored import Json


class JobPath(InPath):
    """A job's id in a path."""

    job: Id
    """Id of the job."""


class DeploymentPath(InPath):
    """A deployment's id in a path."""

    deployment: Id
    """Id of the deployment."""


class ResolveRequest(RequestModel):
    """The decision about a step whose outcome is unknown."""

    resolution: Resolution = Field(strict=False, examples=["done"])
    """`done`: the step did its work; `retry`: the step may run again; `abandon`: the job does not continue."""


class StepResponse(ResponseModel):
    """A step of a job; `pending` while it has not begun."""

    n: int
    name: str = Field(examples=["build-image"])
    state: str = Field(examples=["succeeded"])
    attempts: int
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    note: str
    error: Why | None


class JobResponse(ResponseModel):
    """A job: one accepted piece of work."""

    id: int = Field(examples=[42])
    kind: str = Field(examples=["deploy"])
    class_: str = Field(serialization_alias="class", examples=["deploy"])
    app: str = Field(examples=["blog"])
    state: str = Field(examples=["running"])
    actor: str = Field(examples=["bootstrap"])
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    deadline: datetime | None
    claims: int
    """The number of times a worker claimed it."""
    runs: int
    """The number of times the user's code was started."""
    cancel_requested_at: datetime | None
    error: Why | None
    deployment: int | None
    execution: int | None
    release: int | None
    args: Json
    waits: str | None
    """The reason why a queued job waits: an earlier change of its app, a build, memory, a slot or a worker."""
    steps: list[StepResponse] = Field(default_factory=list)


class JobsQuery(ListQuery):
    """The filter and page of a list of jobs."""

    app: Text | None = None
    kind: JobKind | None = None
    state: JobState | None = None
    job_class: JobClass | None = Field(None, alias="class")


class LogQuery(InQuery):
    """The output of a job to return."""

    step: Text | None = None
    """Only the output of this step."""
    after: int = Field(-1, ge=-1, le=2**31 - 1)
    """Only output of the step after the piece with this `seq`; without `step` it has no effect."""
    follow: bool = False
    """Continue until the job has ended."""


class ForgeRequest(RequestModel):
    """Options of forge."""

    force: bool = False
    """Tear the app down first."""
    cluster: Literal["docker", "kubernetes"] | None = Field(None, examples=[None])
    """Where the app is to run; `kubernetes` moves an app that runs on Docker. The default leaves the app where
    it is.
    """


class DeployRequest(RequestModel):
    """The revision to deploy."""

    ref: Text | None = Field(None, examples=["main"])
    """Branch, tag or commit of a repository, by default the spec's branch; tag or digest of an image."""
    source: Text | None = Field(None, pattern=f"^{UPLOADED}$", examples=[None])
    """Revision of an uploaded source; the default is the newest one."""


class RollbackRequest(RequestModel):
    """The release to roll back to."""

    release: int | None = Field(None, ge=1, le=2**31 - 1, examples=[3])
    """The number of a release; the default is the release before the live one."""


class NothingRequest(RequestModel):
    """An empty object."""


class RestartRequest(RequestModel):
    """How the old containers end."""

    now: bool = False
    """True: old containers, including those that an earlier deploy replaced, are stopped without waiting for the end of
    their open connections.
    """


class ScaleRequest(RequestModel):
    """The number of replicas."""

    replicas: int | None = Field(None, ge=0, le=100, examples=[3])
    """Keeps this number until it is reset or the spec's number changes."""
    reset: bool = False
    """Returns to the spec's number."""


class TeardownRequest(RequestModel):
    """Options of teardown."""

    purge: bool = False
    """Also remove what a teardown keeps, such as volumes and databases with their data."""


class ForgeResponse(ResponseModel):
    """The state of an app's infrastructure."""

    state: str = Field(examples=["forged"])
    error: Why | None
    job: int | None = Field(examples=[42])
    """The job that changes it now."""


class DeploymentResponse(ResponseModel):
    """One attempt to make a release live."""

    id: int = Field(examples=[7])
    app: str = Field(examples=["blog"])
    job: int = Field(examples=[42])
    kind: str = Field(examples=["deploy"])
    state: str = Field(examples=["deployed"])
    ref: str | None
    revision: str | None
    release: int
    actor: str
    error: Why | None
    returned_to: int | None
    """The deployment that returned the app to its live release after this one failed."""
    created_at: datetime
    ended_at: datetime | None
    live: bool


class DeploymentsQuery(ListQuery):
    """The filter and page of a list of deployments."""

    app: Text | None = None
    state: DeploymentState | None = None


class ReleaseResponse(ResponseModel):
    """Image, source revision and spec under one number."""

    app: str = Field(examples=["blog"])
    n: int = Field(examples=[3])
    image: str | None
    image_id: str | None
    revision: str | None
    created_at: datetime
    live_at: datetime | None
    pruned_at: datetime | None
    """The time at which its image was removed; null while it exists."""
    live: bool
    state: str | None = Field(examples=["deployed"])
    """The state of the deploy that made it."""
    ref: str | None
    actor: str | None
    """The user who requested that deploy."""
