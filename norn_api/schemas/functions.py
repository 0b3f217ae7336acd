"""Shapes of function calls."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import Answered, Asked, Id, InPath, InQuery, ListQuery, Text
from norn_tasks.domain.execution import ExecutionState


class FunctionPath(InPath):
    """A function in a path."""

    app: Text = Field(examples=["thumbnail-gen"])
    """Name of the app."""


class InvocationPath(InPath):
    """An invocation's id in a path."""

    invocation: Id = Field(examples=[43])
    """Id of the invocation."""


class InvokeQuery(InQuery):
    """What the function sees as its request."""

    method: Text = Field("POST", pattern="^[A-Z]{1,20}$", examples=["POST"])
    """Its method."""
    path: Text = Field("/", pattern="^/", max_length=2000, examples=["/"])
    """Its path; a query may follow."""


class CallsQuery(ListQuery):
    """Which calls."""

    state: ExecutionState | None = None


class CallAnswer(Answered):
    """A function call without what it printed."""

    id: int = Field(examples=[42])
    app: str = Field(examples=["thumbnail-gen"])
    kind: str = "function"
    job: int
    release: int | None
    state: str = Field(examples=["succeeded"])
    cause: str
    sentence: str
    hint: str
    exit_code: int | None
    attempt: int
    actor: str
    sync: bool
    method: str = Field(examples=["POST"])
    path: str = Field(examples=["/"])
    query: str
    content_type: str
    request_size: int
    response_size: int | None
    record: str = Field(examples=["full"])
    """What stays of its bytes once its answer was taken: `full`, `output`, `meta`."""
    request_sha256: str | None
    response_sha256: str | None
    trimmed_at: datetime | None
    """When what is not to stay was dropped; the hashes are of what was there."""
    created_at: datetime
    begun_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None


class CallRecord(CallAnswer):
    """A function call with what it printed; output that is not UTF-8 comes in base64."""

    stdout: str | None = None
    stdout_base64: str | None = None
    stderr: str | None = None


class ReplayAsked(Asked):
    """How to call again."""

    release: int | None = Field(None, ge=1, le=2**31 - 1, examples=[3])
    """Number of a release; the live one when left out."""
