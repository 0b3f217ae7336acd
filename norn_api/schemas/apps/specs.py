"""Models of an app's spec, as it is sent, checked and listed, and of its uploaded source."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import InQuery, LongText, MistakeResponse, RequestModel, ResponseModel, Text
from norn_tasks.domain.stored import Json

INFRASPEC = "app: blog\nrole: webserver\nport: 8080\nhealthcheck: /health\n"


class SpecRequest(RequestModel):
    """An infraspec as a text in JSON."""

    infraspec: LongText = Field(examples=[INFRASPEC], max_length=65_536)
    """The text of the file."""


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


class UploadSummary(ResponseModel):
    """An uploaded source: its uploader and time, and the number and size of its files."""

    revision: str = Field(examples=["src-0123456789ab"])
    files: int = Field(examples=[12])
    size: int = Field(examples=[3400])
    actor: str
    created_at: datetime


class SourceKept(ResponseModel):
    """An uploaded source that is kept; its name depends on its files, not on the bytes of the archive."""

    revision: str = Field(examples=["src-0123456789ab"])
    """Its name: `src-` and the beginning of the SHA-256 of its tree. Pass it to deploy as `source`."""
    files: int = Field(examples=[12])
    size: int = Field(examples=[3400])
