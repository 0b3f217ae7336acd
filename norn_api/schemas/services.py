"""Models of shared services: what apps were given, never a credential."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import ResponseModel
from norn_tasks.domain.services import ServiceKind, SnapshotReason


class ServicePartResponse(ResponseModel):
    """A database, a namespace of keys or a topic that an app was given."""

    app: str = Field(examples=["mail-agent"])
    """The app that owns it, or for a topic one of those that have it."""
    kind: ServiceKind
    name: str = Field(examples=["mailagent_db"])
    variable: str = Field(examples=["DATABASE_URL"])
    """The environment variable with the URL that leads there."""
    since: datetime
    made: bool
    """False while it is only reserved: the forge has not made it yet."""
    named: bool
    """False if the infraspec no longer names it; it is kept with its data."""


class SnapshotResponse(ResponseModel):
    """A dump of an app's database, on the machine of the worker that made it."""

    id: int = Field(examples=[12])
    app: str = Field(examples=["mail-agent"])
    database: str = Field(examples=["mailagent_db"])
    reason: SnapshotReason
    release: int | None
    """The release whose migration followed it."""
    at: datetime
    bytes: int | None
    """Null while it is being taken, or if that failed."""
    file: str = Field(examples=["mail-agent-12.dump"])
    """The file in `snapshots` of the data directory."""
