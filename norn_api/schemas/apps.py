"""Shapes of apps: what is applied, and what an app's status tells."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.alerts import AlertTold
from norn_api.schemas.common import Answered, Asked, InQuery, Json, LongText, MistakeAnswer, Overridden, Text, Why
from norn_api.schemas.cron import ScheduleAnswer
from norn_api.schemas.functions import CallAnswer
from norn_api.schemas.jobs import DeploymentAnswer
from norn_tasks.domain.infraspec import Role

INFRASPEC = "app: blog\nrole: webserver\nport: 8080\nhealthcheck: /health\n"


class SpecAsked(Asked):
    """An infraspec in JSON's clothes."""

    infraspec: LongText = Field(examples=[INFRASPEC], max_length=65_536)
    """The text of the file."""


class AppsQuery(InQuery):
    """Which apps."""

    limit: int = Field(200, ge=1, le=500)
    """Items at most."""
    after: Text | None = None
    """`next` of the part before."""
    role: Role | None = None
    core: bool | None = None
    """Only the platform's own, or only the others."""
    all: bool = False
    """Also apps that say `deploy: false`."""


class AppQuery(InQuery):
    """How to look."""

    fresh: bool = False
    """Have a worker look at the cluster first (3 s at most)."""


class FileQuery(InQuery):
    """What the text is called in mistakes."""

    file: Text = Field("infraspec.yaml", max_length=255)


class Validity(Answered):
    """What is wrong with an infraspec, and what is only worth knowing."""

    valid: bool
    mistakes: list[MistakeAnswer]
    notices: list[str]
    spec: Json | None
    """The spec in one spelling (bytes, seconds), null when it is not valid."""


class ForgeTold(Answered):
    """How the infrastructure stands."""

    state: str = Field(examples=["forged"])
    error: Why | None


class ReplicasTold(Overridden):
    """A number of replicas that was set by hand."""

    replicas: int


class LiveTold(Answered):
    """What is live."""

    deployment: int
    release: int
    revision: str | None
    at: datetime | None


class ReplicaAnswer(Answered):
    """One replica as the last look at the cluster saw it."""

    name: str
    state: str
    release: int
    restarts: int
    healthy: bool | None
    message: str


class JobTold(Answered):
    """The job that changes the app now."""

    id: int
    kind: str


class RunTold(Answered):
    """A recent run of a cron app, in one line."""

    id: int
    kind: str = "cron"
    state: str
    exit_code: int | None
    trigger: str
    verdict: str | None
    """That of its occurrence; null for a run by hand."""
    attempt: int
    begun_at: datetime | None
    scheduled_for: datetime | None
    created_at: datetime
    duration_ms: int | None
    first_error_line: str
    sentence: str
    hint: str


class UploadTold(Answered):
    """An uploaded source: who uploaded it when, how many files it has, how many bytes they hold."""

    revision: str = Field(examples=["src-0123456789ab"])
    files: int = Field(examples=[12])
    size: int = Field(examples=[3400])
    actor: str
    created_at: datetime


class SourceKept(Answered):
    """An uploaded source as it is kept: named by its tree, whatever the archive's own bytes."""

    revision: str = Field(examples=["src-0123456789ab"])
    """Its name: `src-` and the beginning of the SHA-256 of its tree. Hand it to deploy as `source`."""
    files: int = Field(examples=[12])
    size: int = Field(examples=[3400])


class AppAnswer(Answered):
    """An app and how it stands. `state` is one word for all of it."""

    name: str = Field(examples=["blog"])
    role: str | None = Field(examples=["webserver"])
    state: str = Field(examples=["running"])
    source: str = Field(examples=["git"])
    """`git`, `upload`, `directory`, or `none`: nothing can be deployed from."""
    origin: str | None
    """The repository's address or the directory."""
    directory: str | None
    """The directory of `NORN_APPS_DIR` that holds its infraspec; the app is listed as long as that is there."""
    upload: UploadTold | None
    """What was uploaded or deployed by upload last."""
    core: bool
    forge: ForgeTold
    ready: int | None
    wanted: int | None
    replicas_override: ReplicasTold | None
    release: int | None
    revision: str | None
    live: LiveTold | None
    last_deployment: DeploymentAnswer | None
    url: str | None
    """Where it is reached: the router's address of a webserver, `/fn/…` of a function."""
    external: str | None
    schedule: ScheduleAnswer | None
    alerts: list[AlertTold]
    """Those that are open."""
    notices: list[str]
    mistakes: list[MistakeAnswer]
    """What is wrong with its infraspec, when its state is `broken`."""
    seen_at: datetime | None
    """When a worker last looked at its replicas."""
    message: str
    """What that look had to say."""
    replicas: list[ReplicaAnswer]
    running_job: JobTold | None


class AppDetail(AppAnswer):
    """An app with its spec and its last five runs or calls."""

    spec: Json | None
    recent: list[RunTold | CallAnswer]


class LogsQuery(InQuery):
    """Which lines."""

    tail: int = Field(100, ge=0, le=10_000)
    """So many of the last lines of each replica."""
    follow: bool = False
    """Go on with new lines as they come."""
