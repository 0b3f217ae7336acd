"""Models of apps: the spec that is applied, and an app's status."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.alerts import AlertSummary
from norn_api.schemas.common import (
    InQuery,
    LongText,
    MistakeResponse,
    Overridden,
    RequestModel,
    ResponseModel,
    Text,
    Why,
)
from norn_api.schemas.cron import ScheduleResponse
from norn_api.schemas.functions import CallResponse
from norn_api.schemas.jobs import DeploymentResponse
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.stored import Json

INFRASPEC = "app: blog\nrole: webserver\nport: 8080\nhealthcheck: /health\n"


class SpecRequest(RequestModel):
    """An infraspec as a text in JSON."""

    infraspec: LongText = Field(examples=[INFRASPEC], max_length=65_536)
    """The text of the file."""


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


class AppliedSpecResponse(ResponseModel):
    """One version of an app's infraspec."""

    version: int = Field(examples=[3])
    spec: Json
    """The fields as they were written."""
    actor: str = Field(examples=["ada"])
    at: datetime


class FileQuery(InQuery):
    """The name of the checked file."""

    file: Text = Field("infraspec.yaml", max_length=255)
    """The file name that mistakes show."""


class SecretsCheck(ResponseModel):
    """The secrets of an app compared with those that its infraspec names."""

    missing: list[str] = Field(examples=[["API_KEY"]])
    """Named, but not set: a deploy would fail."""
    unused: list[str] = Field(examples=[["OLD_KEY"]])
    """Set, but named by neither this infraspec nor the live release: no container gets it."""


class Validity(ResponseModel):
    """The mistakes of an infraspec, and notices."""

    valid: bool
    mistakes: list[MistakeResponse]
    notices: list[str]
    spec: Json | None
    """The spec in normal form (sizes in bytes, times in seconds); null if it is invalid."""
    secrets: SecretsCheck | None = None
    """The comparison with the secrets that are set; null if no app is named, or if the spec is invalid."""


class ForgeSummary(ResponseModel):
    """The state of the infrastructure."""

    state: str = Field(examples=["forged"])
    error: Why | None


class ReplicasSummary(Overridden):
    """A number of replicas that a user set."""

    replicas: int


class LiveSummary(ResponseModel):
    """The live release."""

    deployment: int
    release: int
    revision: str | None
    at: datetime | None


class UsageResponse(ResponseModel):
    """The processors and memory in use."""

    cpus: float | None = Field(examples=[0.25])
    """How many processors were in use between the last two measurements; null before the second one."""
    memory: int = Field(examples=[33_554_432])
    """The bytes of memory in use, without files that the kernel may drop at any time."""
    memory_limit: int | None = Field(examples=[536_870_912])
    """The limit of its memory in bytes; null for no limit."""
    measured_at: datetime


class ReplicaResponse(ResponseModel):
    """One replica as the last observation saw it."""

    name: str
    state: str
    release: int
    restarts: int
    healthy: bool | None
    message: str
    usage: UsageResponse | None = None
    """Null if its cluster does not measure usage (Kubernetes does not), or has not measured it yet."""


class JobSummary(ResponseModel):
    """The job that changes the app now."""

    id: int
    kind: str


class FiguresResponse(ResponseModel):
    """The calls that a function had in the last hour."""

    calls: int = Field(examples=[120])
    errors: int = Field(examples=[2])
    """The calls that did not succeed; a cancelled call is not counted."""
    p50_ms: int | None = Field(examples=[41])
    """Half of the calls that ended took at most this time; null if none has ended."""
    p99_ms: int | None = Field(examples=[230])


class RunSummary(ResponseModel):
    """A recent run of a cron app, in one line."""

    id: int
    kind: str = "cron"
    state: str
    exit_code: int | None
    trigger: str
    verdict: str | None
    """The verdict on its occurrence; null for a manual run."""
    attempt: int
    begun_at: datetime | None
    scheduled_for: datetime | None
    created_at: datetime
    duration_ms: int | None
    first_error_line: str
    sentence: str
    hint: str


class UploadSummary(ResponseModel):
    """An uploaded source: its uploader and time, and the number and size of its files."""

    revision: str = Field(examples=["src-0123456789ab"])
    files: int = Field(examples=[12])
    size: int = Field(examples=[3400])
    actor: str
    created_at: datetime


class SourceKept(ResponseModel):
    """An uploaded source as it is kept: named by its tree, independent of the archive's bytes."""

    revision: str = Field(examples=["src-0123456789ab"])
    """Its name: `src-` and the beginning of the SHA-256 of its tree. Pass it to deploy as `source`."""
    files: int = Field(examples=[12])
    size: int = Field(examples=[3400])


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
    """The directory of `NORN_APPS_DIR` that holds its infraspec; the app is listed as long as it exists."""
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
    """The mistake of its infraspec, if its state is `broken`."""
    seen_at: datetime | None
    """The time of the last observation of its replicas."""
    message: str
    """The message of the last observation of its replicas."""
    replicas: list[ReplicaResponse]
    usage: UsageResponse | None
    """The sum over its measured replicas, with the time of the oldest measurement; null if no replica was measured."""
    running_job: JobSummary | None


class StateSpanResponse(ResponseModel):
    """A period in which an app was in one state."""

    state: str = Field(examples=["down"])
    """`running`, `degraded` (some replicas serve), `down` or `stopped`."""
    reason: str
    began_at: datetime
    ended_at: datetime | None
    """Null if the app is still in this state."""


class StateSpanListed(StateSpanResponse):
    """A period in which an app was in one state, with its id in a list."""

    id: int = Field(examples=[42])


class UptimeResponse(ResponseModel):
    """How much of the time a webserver or worker served."""

    day: float | None = Field(examples=[99.31])
    """Percentage of the last 24 hours in which at least one replica served; null without an observation."""
    week: float | None
    changes: list[StateSpanResponse]
    """The last ten changes of its state, newest first."""


class AppDetail(AppResponse):
    """An app with its spec, its uptime, and its last five runs or calls."""

    spec: Json | None
    uptime: UptimeResponse | None
    """Null for a cron job or a function."""
    recent: list[RunSummary | CallResponse]


class LogsQuery(InQuery):
    """The lines to return."""

    tail: int = Field(100, ge=0, le=10_000)
    """The number of last lines."""
    follow: bool = False
    """Continue with new lines as they arrive."""
    since: str | None = Field(None, max_length=64, examples=["2h", "2026-11-30T17:00:00Z"])
    """Only lines of this time or later; a duration counts back from now."""
    until: str | None = Field(None, max_length=64, examples=["30m", "2026-11-30T18:00:00Z"])
    """Only lines from before this time; a duration counts back from now."""
    grep: str | None = Field(None, min_length=1, max_length=1000, examples=["(?i)error|timeout"])
    """Only lines in which this regular expression is found (RE2)."""
    release: int | None = Field(None, ge=1, le=2**31 - 1)
    """Only lines of this release."""
    replica: int | None = Field(None, ge=1, le=2**31 - 1)
    """Only lines of the replica with this number."""
    previous: bool = False
    """Only lines of the newest replicas that are gone."""
    timestamps: bool = False
    """Begin each line of text with its time; JSON lines always have it."""
