"""Shared parts of all models: the base classes, the string types, lists and problems."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

T = TypeVar("T")


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character, which no text may")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("it holds half a surrogate pair, which is not Unicode text")
    return text


Text = Annotated[str, Field(max_length=4096), AfterValidator(_storable)]
"""Text that a client sends: at most 4,096 characters, all of which PostgreSQL can store and JSON can carry."""

LongText = Annotated[str, AfterValidator(_storable)]
"""Text of any length that a client sends; PostgreSQL can store and JSON can carry all its characters."""

Id = Annotated[int, Field(ge=1, le=2**63 - 1, examples=[42])]


class RequestModel(BaseModel):
    """The base of request bodies: unknown fields and wrong types are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class InPath(BaseModel):
    """The base of path parameters."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class InQuery(BaseModel):
    """The base of query parameters: each value is converted from text to the type of its field; unknown names are
    mistakes.
    """

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ResponseModel(BaseModel):
    """The base of responses; a response can be made from an object of the store that has the same attributes."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class ProblemDetails(ResponseModel):
    """An error (RFC 9457): `code` is stable, `detail` a sentence, `hint` what to do about it."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    code: str = Field(examples=["not_forged"])
    detail: str = Field(examples=["blog has no infrastructure yet"])
    hint: str = Field("", examples=["norn forge blog"])
    mistakes: list[MistakeResponse] | None = None
    """Every mistake of an infraspec or of a request's fields."""
    job: int | None = None
    execution: int | None = None
    deployment: int | None = None
    retry_after: int | None = None
    """Seconds after which a retry makes sense; also the header Retry-After."""
    limit: int | None = None


class MistakeResponse(ResponseModel):
    """One mistake: its position (1-based), its field, the message and a hint."""

    file: str = Field(examples=["infraspec.yaml"])
    line: int = Field(examples=[3])
    column: int = Field(examples=[7])
    field: str = Field(examples=["port"])
    message: str = Field(examples=["a webserver needs a port"])
    hint: str = ""


class Why(ResponseModel):
    """The cause of a failure."""

    code: str = Field(examples=["build_failed"])
    sentence: str = Field(examples=["the build ended with exit code 1: npm ERR! missing script: build"])
    hint: str = ""


class ListOf(ResponseModel, Generic[T]):
    """A page of a list. `next`: the value of `after` for the next page; null on the last page."""

    items: list[T]
    next: str | None = None


class AppPath(InPath):
    """The app's name in a path."""

    app: Text = Field(examples=["blog"])
    """Name of the app."""


class ListQuery(InQuery):
    """The page of a list."""

    limit: int = Field(50, ge=1, le=200)
    """The maximum number of items."""
    after: int | None = Field(None, ge=0, le=2**63 - 1)
    """`next` of the previous page."""


class WorkAccepted(ResponseModel):
    """Accepted work: its job, and the job's address."""

    job: int = Field(examples=[42])
    app: str = Field(examples=["blog"])
    kind: str = Field(examples=["deploy"])
    state: str = Field(examples=["queued"])
    deployment: int | None = Field(None, examples=[7])
    execution: int | None = None
    href: str = Field(examples=["/api/jobs/42"])


class Overridden(ResponseModel):
    """The user who set something, and the time."""

    by: str
    at: datetime | None


ProblemDetails.model_rebuild()
