"""Models of apps in a list, and of one app in detail."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.alerts import AlertSummary
from norn_api.schemas.apps.specs import UploadSummary
from norn_api.schemas.apps.summaries import (
    FiguresResponse,
    ForgeSummary,
    JobSummary,
    LiveSummary,
    ReplicaResponse,
    ReplicasSummary,
    RunSummary,
    UsageResponse,
)
from norn_api.schemas.apps.uptime import UptimeResponse
from norn_api.schemas.common import InQuery, MistakeResponse, ResponseModel, Text
from norn_api.schemas.cron import ScheduleResponse
from norn_api.schemas.functions import CallResponse
from norn_api.schemas.jobs import DeploymentResponse
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.stored import Json


class AppsQuery(InQuery):
    """The filter and page of a list of apps."""

    limit: int = Field(200, ge=1, le=500)
    """The maximum number of items."""
    after: Text | None = None
    """`next` of the previous page."""
    role: Role | None = None
    core: bool | None = None
    """True: only the platform's own apps; false: only the others."""
    all: bool = False
    """Also list apps whose infraspec says `deploy: false`."""


class AppQuery(InQuery):
    """Options of reading an app."""

    fresh: bool = False
    """Let a worker observe the app's cluster first (3 s at most)."""


class AppResponse(ResponseModel):
    """An app and its state."""

    name: str = Field(examples=["blog"])
    role: str | None = Field(examples=["webserver"])
    state: str = Field(examples=["running"])
    source: str = Field(examples=["git"])
    """`image`, `git`, `upload`, `directory`, or `none`: there is no source to deploy."""
    origin: str | None
    """The image's reference, the repository's address or the directory."""
    directory: str | None
    """The directory of `NORN_APPS_DIR` that holds its infraspec; the app is listed as long as this directory exists."""
    upload: UploadSummary | None
    """The last uploaded source."""
    core: bool
    forge: ForgeSummary
    cluster: str | None
    """The cluster in which a webserver or worker lives, from its first forge on."""
    ready: int | None
    wanted: int | None
    replicas_override: ReplicasSummary | None
    release: int | None
    revision: str | None
    live: LiveSummary | None
    last_deployment: DeploymentResponse | None
    url: str | None
    """Its address: for a webserver its address at the router, for a function `/fn/…`."""
    update: str | None = Field(examples=["5f1d7a84e2b3c4d5e6f708192a3b4c5d6e7f8091"])
    """The newest known commit of `repo.branch`; null if it is the live one, or if none is known."""
    external: str | None = Field(examples=["blog.example.com: routed"])
    """Its public host name, whether that name is routed to the app, and if not, why."""
    figures: FiguresResponse | None
    """The calls of a function in the last hour; null for any other app."""
    schedule: ScheduleResponse | None
    alerts: list[AlertSummary]
    """Its open alerts."""
    notices: list[str]
    mistakes: list[MistakeResponse]
    """The mistakes in its infraspec, if its state is `broken`."""
    seen_at: datetime | None
    """The time of the last observation of its replicas."""
    message: str
    """The message of the last observation of its replicas."""
    replicas: list[ReplicaResponse]
    usage: UsageResponse | None
    """The sum over its measured replicas, with the time of the oldest measurement; null if no replica was measured."""
    running_job: JobSummary | None


class AppDetail(AppResponse):
    """An app with its spec, its uptime, and its last five runs or calls."""

    spec: Json | None
    uptime: UptimeResponse | None
    """Null for a cron app or a function."""
    recent: list[RunSummary | CallResponse]
