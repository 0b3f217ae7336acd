"""Models of the parts of an app's status, each in a few fields."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import Overridden, ResponseModel, Why


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
    """How many processors were in use between the last two measurements; null after only one measurement."""
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
    connections: int | None = None
    """The open connections of a draining replica; null in any other state, and before the router has counted them."""
    until: datetime | None = None
    """When a draining replica ends at the latest; null in any other state."""


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
