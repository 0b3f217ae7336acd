"""Models of secrets: values go in, only names come out."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import AppPath, Id, InPath, LongText, RequestModel, ResponseModel, Text
from norn_tasks.domain.names import ENV_KEY, RESERVED_ENV
from norn_tasks.domain.secret import MOST


class SecretPath(InPath):
    """An app and one of its secrets in a path."""

    app: Text = Field(examples=["blog"])
    """Name of the app."""
    secret: Text = Field(examples=["API_KEY"])
    """Name of the secret."""


class SecretsRequest(RequestModel):
    """Secrets to set; the app's other secrets stay as they are."""

    values: dict[str, LongText] = Field(
        min_length=1, max_length=MOST, examples=[{"API_KEY": "correct horse battery staple"}],
        json_schema_extra={"propertyNames": {"pattern": f"^(?!{RESERVED_ENV})(?:{ENV_KEY})$"}},
    )  # fmt: skip
    """The values by name. No value can be read again."""


class SecretResponse(ResponseModel):
    """A secret without its value. A secret that only the infraspec names has no version: it is missing."""

    name: str = Field(examples=["API_KEY"])
    version: int | None = Field(examples=[2])
    """The number of times it was set."""
    set_by: str | None
    at: datetime | None
    named: bool
    """True if the infraspec names it; only then do containers get it."""
    missing: bool
    """True if the infraspec names it but it is not set; a deploy then fails."""


AGE_KEY = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


class ExportPath(AppPath):
    """An app and the job of an export in a path."""

    job: Id
    """Id of the job that wrote the file."""


class ExportRequest(RequestModel):
    """The readers of an exported file."""

    recipients: list[Text] = Field(min_length=1, max_length=20, examples=[[AGE_KEY]])
    """Public age keys."""


class ExportedFile(ResponseModel):
    """A file in the format of sops, with encrypted values."""

    content: str
    """The text of the file."""


class ServerKey(ResponseModel):
    """The public key of the server."""

    recipient: str = Field(examples=[AGE_KEY])
    """A public age key."""
