"""Shapes of what the server tells of itself: health, version, figures, events, tokens, workers, the audit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from norn_api.schemas.common import Answered, Asked, Id, InPath, InQuery, Json, ListQuery, Text
from norn_tasks.domain.access import Scope


class CheckAnswer(Answered):
    """One thing that Norn needs."""

    name: str = Field(examples=["database"])
    status: str = Field(examples=["ok"])
    message: str
    hint: str


class HealthAnswer(Answered):
    """`ok`, `degraded` (something is not as it should be) or `down` (nothing works)."""

    status: str = Field(examples=["ok"])
    checks: list[CheckAnswer]
    version: str


class VersionAnswer(Answered):
    """Which Norn this is."""

    version: str = Field(examples=["0.1.0"])
    commit: str | None
    api: str = "1"
    source_max: int = Field(examples=[67108864])
    """Bytes that an uploaded source may have."""


class QueueAnswer(Answered):
    """The ready jobs of a class."""

    depth: int
    oldest_seconds: float


class StatsAnswer(Answered):
    """Figures. Past jobs and executions are counted among the newest 10,000."""

    apps: dict[str, dict[str, int]]
    """By role and state."""
    jobs: dict[str, dict[str, int]]
    """By class and state."""
    cron_runs: dict[str, int]
    """Of the last hour, by state."""
    calls: dict[str, int]
    """Of the last hour, by state."""
    queues: dict[str, QueueAnswer]


class EventAnswer(Answered):
    """A fact. `id` is its place in the stream; `seq` counts the events of its job without gaps."""

    id: str = Field(examples=["812-4711"])
    at: datetime
    kind: str = Field(examples=["job.ended"])
    app: str | None
    job: int | None
    seq: int | None
    data: Json


class EventsQuery(InQuery):
    """Which events, oldest first, behind `after`."""

    app: Text | None = None
    job: int | None = Field(None, ge=1, le=2**63 - 1)
    after: Text | None = Field(None, examples=["812-4711"])
    """Id of an event; without it the newest are answered."""
    limit: int = Field(100, ge=1, le=500)


class EventStreamQuery(InQuery):
    """Which events to follow."""

    app: Text | None = None
    after: Text | None = Field(None, examples=["812-4711"])
    """Where to begin, as the header Last-Event-ID; `0-0`: at the beginning; from now when left out."""


class TokenPath(InPath):
    """A token's id in a path."""

    token: Id
    """Id of the token."""


class TokenAsked(Asked):
    """A new token."""

    name: Text = Field(pattern="^[a-z0-9][a-z0-9._-]{0,62}$", examples=["ci"])
    scopes: list[Annotated[Scope, Field(strict=False)]] = Field(min_length=1, max_length=4, examples=[["deploy"]])
    apps: list[Text] | None = Field(None, min_length=1, max_length=200, examples=[["blog"]])
    """Only these apps; every app when left out."""


class TokenAnswer(Answered):
    """A token without the secret."""

    id: int = Field(examples=[3])
    name: str = Field(examples=["ci"])
    scopes: list[str] = Field(examples=[["deploy"]])
    apps: list[str] | None
    created_by: str
    created_at: datetime
    last_used_at: datetime | None


class TokenMade(TokenAnswer):
    """A new token with its secret, which is shown this once (null when an Idempotency-Key came again)."""

    token: str | None = Field(examples=["norn_…"])


class WorkerPath(InPath):
    """A worker's name in a path."""

    name: Text = Field(examples=["deploy@host"])
    """Name of the worker."""


class WorkerAnswer(Answered):
    """A worker process of one class, as it last spoke."""

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


class AuditQuery(ListQuery):
    """Whose deeds."""

    app: Text | None = None
    actor: Text | None = None


class DeedAnswer(Answered):
    """One request that changes something, and the status it was answered with."""

    id: int = Field(examples=[42])
    at: datetime
    actor: str
    method: str
    path: str
    app: str | None
    status: int
    about: str
    """What it was about beside the address: the names of secrets that were set."""
