"""Models of function calls."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from norn_api.schemas.common import Id, InPath, InQuery, ListQuery, RequestModel, ResponseModel, Text
from norn_tasks.domain.jobs.execution import ExecutionState


class FunctionPath(InPath):
    """A function in a path."""

    app: Text = Field(examples=["thumbnail-gen"])
    """Name of the app."""


class InvocationPath(InPath):
    """An invocation's id in a path."""

    invocation: Id = Field(examples=[43])
    """Id of the invocation."""


class InvokeQuery(InQuery):
    """The request that the function sees."""

    method: Text = Field("POST", pattern="^[A-Z]{1,20}$", examples=["POST"])
    """The method of that request."""
    path: Text = Field("/", pattern="^/", max_length=2000, examples=["/"])
    """The path of that request, with its query if it has one."""


class CallsQuery(ListQuery):
    """The page of a list of calls."""

    state: ExecutionState | None = None


class CallResponse(ResponseModel):
    """A function call without its output."""

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
    """The parts of the call that are kept after its answer was read: `full`, `output` or `meta`."""
    request_sha256: str | None
    response_sha256: str | None
    trimmed_at: datetime | None
    """The time at which the parts that are not kept were dropped; the hashes are still those of all bytes."""
    created_at: datetime
    begun_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None


NameAndValue = Annotated[list[str], Field(min_length=2, max_length=2)]
"""A header. It is a list, because versions of JSON Schema differ in how they describe a tuple."""


class CallRecord(CallResponse):
    """A function call with its output; output that is not UTF-8 is in base64."""

    stdout: str | None = None
    stdout_base64: str | None = None
    stderr: str | None = None
    status: int | None = Field(None, examples=[200])
    """The status of the answer at `/fn/…`; null while the call has not ended, or if its output is not kept."""
    headers: list[NameAndValue] = Field([], examples=[[["Content-Type", "text/plain"]]])
    """The headers of the answer at `/fn/…`, each as its name and its value."""


class ComparisonPath(InvocationPath):
    """The two calls of a comparison."""

    other: Id = Field(examples=[44])
    """The id of another invocation of the same app, such as a replay."""


class ValueDifference(ResponseModel):
    """A value that differs between two answers; null for an answer without it."""

    name: str = Field(examples=["content-type"])
    before: str | None
    after: str | None


class CallsCompared(ResponseModel):
    """The differences between the answers of two calls, as a client gets them."""

    before: int = Field(examples=[43])
    after: int = Field(examples=[44])
    same: bool
    status: ValueDifference | None
    headers: list[ValueDifference]
    first_byte: int | None
    """The position of the first byte at which the bodies differ; null if they are equal."""
    lines: list[str]
    """The unified diff of the bodies; empty if they are equal, not text, or over 64 KiB or 4,000 lines."""


class ReplayRequest(RequestModel):
    """Options of repeating a call."""

    release: int | None = Field(None, ge=1, le=2**31 - 1, examples=[3])
    """The number of a release; the default is the live one."""
