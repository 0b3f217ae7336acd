"""What all shapes share: the base of requests and of answers, the one string type, lists, problems."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

T = TypeVar("T")


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character, which no text may")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("it holds half a surrogate pair, which is not Unicode text")
    return text


Text = Annotated[str, Field(max_length=4096), AfterValidator(_storable)]
"""Any text from outside: PostgreSQL can keep it, JSON can carry it."""

LongText = Annotated[str, AfterValidator(_storable)]
"""The same, of any length."""

Id = Annotated[int, Field(ge=1, le=2**63 - 1, examples=[42])]


class Asked(BaseModel):
    """The base of request bodies: unknown fields and other types are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class InPath(BaseModel):
    """The base of what is in a path."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class InQuery(BaseModel):
    """The base of what is in a query: text that is turned into its type; unknown names are mistakes."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Answered(BaseModel):
    """The base of answers, made from the store's values."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class Problem(Answered):
    """An error (RFC 9457): `code` is stable, `detail` a sentence, `hint` the way out."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    code: str = Field(examples=["not_forged"])
    detail: str = Field(examples=["blog has no infrastructure yet"])
    hint: str = Field("", examples=["norn forge blog"])
    mistakes: list[MistakeAnswer] | None = None
    """Every mistake of an infraspec or of a request's fields."""
    job: int | None = None
    execution: int | None = None
    deployment: int | None = None
    retry_after: int | None = None
    """Seconds after which trying again makes sense; also the header Retry-After."""
    limit: int | None = None


class MistakeAnswer(Answered):
    """One mistake: where it is (1-based), which field, what is wrong, what would be right."""

    file: str = Field(examples=["infraspec.yaml"])
    line: int = Field(examples=[3])
    column: int = Field(examples=[7])
    field: str = Field(examples=["port"])
    message: str = Field(examples=["a webserver needs a port"])
    hint: str = ""


class Why(Answered):
    """Why something ended badly."""

    code: str = Field(examples=["build_failed"])
    sentence: str = Field(examples=["the build ended with exit code 1: npm ERR! missing script: build"])
    hint: str = ""


class ListOf(Answered, Generic[T]):
    """A part of a list. `next`: the `after` of the part behind it, null at the end."""

    items: list[T]
    next: str | None = None


class AppPath(InPath):
    """The app's name in a path."""

    app: Text = Field(examples=["blog"])
    """Name of the app."""


class ListQuery(InQuery):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=200)
    """Items at most."""
    after: int | None = Field(None, ge=0, le=2**63 - 1)
    """`next` of the part before."""


class WorkAccepted(Answered):
    """Work that was accepted: its job, and where to look."""

    job: int = Field(examples=[42])
    app: str = Field(examples=["blog"])
    kind: str = Field(examples=["deploy"])
    state: str = Field(examples=["queued"])
    deployment: int | None = Field(None, examples=[7])
    execution: int | None = None
    href: str = Field(examples=["/api/jobs/42"])


class Overridden(Answered):
    """Who set something by hand, and when."""

    by: str
    at: datetime | None


Json = dict[str, Any]
Problem.model_rebuild()
