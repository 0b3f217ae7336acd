"""Shapes of jobs, deployments and releases."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import Answered, Asked, Id, InPath, InQuery, Json, ListQuery, Text, Why
from norn_tasks.domain.deployment import DeploymentState
from norn_tasks.domain.job import JobClass, JobKind, JobState
from norn_tasks.domain.source_tree import UPLOADED


class JobPath(InPath):
    """A job's id in a path."""

    job: Id
    """Id of the job."""


class DeploymentPath(InPath):
    """A deployment's id in a path."""

    deployment: Id
    """Id of the deployment."""


class StepAnswer(Answered):
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


class JobAnswer(Answered):
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
    """How many workers took it."""
    runs: int
    """How often the user's code was begun."""
    cancel_requested_at: datetime | None
    error: Why | None
    deployment: int | None
    execution: int | None
    release: int | None
    args: Json
    waits: str | None
    """Why a queued job waits, when it is for memory of its engine."""
    steps: list[StepAnswer] = Field(default_factory=list)


class JobsQuery(ListQuery):
    """Which jobs."""

    app: Text | None = None
    kind: JobKind | None = None
    state: JobState | None = None
    job_class: JobClass | None = Field(None, alias="class")


class LogQuery(InQuery):
    """Which output of a job."""

    step: Text | None = None
    """Only this step's."""
    follow: bool = False
    """Go on until the job has ended."""


class ForgeAsked(Asked):
    """How to forge."""

    force: bool = False
    """Tear down what is there first."""


class DeployAsked(Asked):
    """What to deploy."""

    ref: Text | None = Field(None, examples=["main"])
    """Branch, tag or commit; the spec's branch when left out. Only for an app of a repository."""
    source: Text | None = Field(None, pattern=f"^{UPLOADED}$", examples=[None])
    """Revision of an uploaded source; the newest one when left out."""


class RollbackAsked(Asked):
    """Where to roll back to."""

    release: int | None = Field(None, ge=1, le=2**31 - 1, examples=[3])
    """Number of a release; the one before the live one when left out."""


class NothingAsked(Asked):
    """Nothing: an empty object."""


class ScaleAsked(Asked):
    """How many replicas."""

    replicas: int | None = Field(None, ge=0, le=100, examples=[3])
    """Keeps so many, until reset or until the spec's number changes."""
    reset: bool = False
    """Goes back to the spec's number."""


class TeardownAsked(Asked):
    """How much to remove."""

    purge: bool = False
    """Also what teardown keeps."""


class ForgeAnswer(Answered):
    """How an app's infrastructure stands."""

    state: str = Field(examples=["forged"])
    error: Why | None
    job: int | None = Field(examples=[42])
    """The job that changes it now."""


class DeploymentAnswer(Answered):
    """One try to make a release live."""

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
    """The deployment that brought the app back after this one failed."""
    created_at: datetime
    ended_at: datetime | None
    live: bool


class DeploymentsQuery(ListQuery):
    """Which deployments."""

    app: Text | None = None
    state: DeploymentState | None = None


class ReleaseAnswer(Answered):
    """Image, source revision and spec under one number."""

    app: str = Field(examples=["blog"])
    n: int = Field(examples=[3])
    image: str | None
    image_id: str | None
    revision: str | None
    created_at: datetime
    live_at: datetime | None
    pruned_at: datetime | None
    """Since when its image is gone."""
    live: bool
    state: str | None = Field(examples=["deployed"])
    """How the deploy that made it stands."""
    ref: str | None
    actor: str | None
    """Who asked for that deploy."""
