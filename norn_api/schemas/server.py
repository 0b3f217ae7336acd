"""Models of the server: health, version, figures, events, tokens, workers and the audit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from norn_api.schemas.common import Id, InPath, InQuery, ListQuery, RequestModel, ResponseModel, Text
from norn_tasks.domain.access import Scope
from norn_tasks.domain.stored import Json


class CheckResponse(ResponseModel):
    """The check of one thing that Norn needs."""

    name: str = Field(examples=["database"])
    status: str = Field(examples=["ok"])
    message: str
    hint: str


class HealthResponse(ResponseModel):
    """`ok`, `degraded` (a part fails) or `down` (nothing works)."""

    status: str = Field(examples=["ok"])
    checks: list[CheckResponse]
    version: str


class VersionResponse(ResponseModel):
    """The version of this Norn."""

    version: str = Field(examples=["0.1.0"])
    commit: str | None
    api: str = "1"
    source_max: int = Field(examples=[67108864])
    """The maximum size of an uploaded source in bytes."""


class QueueResponse(ResponseModel):
    """The ready jobs of a class: their number, and the age of the oldest."""

    depth: int
    oldest_seconds: float


class StatsResponse(ResponseModel):
    """The numbers of apps, jobs and executions. A job that has ended, or an execution, is counted only if it is among
    the newest 10,000.
    """

    apps: dict[str, dict[str, int]]
    """The number of apps by role and state."""
    jobs: dict[str, dict[str, int]]
    """The number of jobs by class and state."""
    cron_runs: dict[str, int]
    """The number of cron runs of the last hour by state."""
    calls: dict[str, int]
    """The number of calls of the last hour by state."""
    queues: dict[str, QueueResponse]


class EventResponse(ResponseModel):
    """An event. `id` is its position in the stream; `seq` counts the events of its job without gaps."""

    id: str = Field(examples=["812-4711"])
    at: datetime
    kind: str = Field(examples=["job.ended"])
    app: str | None
    job: int | None
    seq: int | None
    data: Json


class EventsQuery(InQuery):
    """The filter and page of a list of events, oldest first."""

    app: Text | None = None
    job: int | None = Field(None, ge=1, le=2**63 - 1)
    after: Text | None = Field(None, examples=["812-4711"])
    """The id of an event; without it the newest events are returned."""
    limit: int = Field(100, ge=1, le=500)


class EventStreamQuery(InQuery):
    """The events to follow."""

    app: Text | None = None
    after: Text | None = Field(None, examples=["812-4711"])
    """Start after the event with this id, like the header Last-Event-ID; `0-0` is the beginning; the default is now."""


class PageStreamQuery(InQuery):
    """The events and log lines to follow."""

    logs: list[Text] = Field(default_factory=list, max_length=8, examples=[["blog"]])
    """A webserver or worker whose log lines are streamed too; repeat the parameter for more of them."""
    tail: int = Field(0, ge=0, le=10_000)
    """The number of past lines of each app to send first, unless the stream is resumed."""
    after: str | None = Field(None, max_length=4096, examples=["812-4711"])
    """Start after the message with this id, like the header Last-Event-ID; the default is now."""


class TokenPath(InPath):
    """A token's id in a path."""

    token: Id
    """Id of the token."""


class TokenRequest(RequestModel):
    """A new token."""

    name: Text = Field(pattern="^[a-z0-9][a-z0-9._-]{0,62}$", examples=["ci"])
    scopes: list[Annotated[Scope, Field(strict=False)]] = Field(min_length=1, max_length=4, examples=[["deploy"]])
    apps: list[Text] | None = Field(None, min_length=1, max_length=200, examples=[["blog"]])
    """Only these apps; the default is every app."""


class TokenResponse(ResponseModel):
    """A token without the secret."""

    id: int = Field(examples=[3])
    name: str = Field(examples=["ci"])
    scopes: list[str] = Field(examples=[["deploy"]])
    apps: list[str] | None
    created_by: str
    created_at: datetime
    last_used_at: datetime | None


class TokenMade(TokenResponse):
    """A new token with its secret, which is shown only once (null if the Idempotency-Key was repeated)."""

    token: str | None = Field(examples=["norn_…"])


class SettingResponse(ResponseModel):
    """A setting of the server."""

    name: str = Field(examples=["NORN_MAX_STREAMS"])
    value: str | None = Field(examples=["150"])
    """The value in use, written as in the environment; null for a setting that may hold a password."""
    set: bool
    """True if the value is not the default."""
    secret: bool
    meaning: str


class WorkerPath(InPath):
    """A worker's name in a path."""

    name: Text = Field(examples=["deploy@host"])
    """Name of the worker."""


class WorkerResponse(ResponseModel):
    """A worker process of one class, as it last reported."""

    name: str = Field(examples=["deploy@host"])
    class_: str = Field(serialization_alias="class", examples=["deploy"])
    host: str
    pid: int
    engine: str | None
    engine_error: str | None
    slots: int
    busy: int
    last_claim_at: datetime | None
    started_at: datetime
    seen_at: datetime
    draining_at: datetime | None
    capabilities: list[str] = Field(examples=[["builds", "cluster:docker", "engine:5f0c", "home", "runtime:docker"]])
    """The abilities that it has now: it takes a job only if it has all abilities that the job requires."""


class AuditQuery(ListQuery):
    """The filter and page of the audit."""

    app: Text | None = None
    actor: Text | None = None


class AuditEntryResponse(ResponseModel):
    """One request for a change, and the status of its response."""

    id: int = Field(examples=[42])
    at: datetime
    actor: str
    method: str
    path: str
    app: str | None
    status: int
    about: str
    """Details that the address does not show, such as the names of secrets that were set."""
