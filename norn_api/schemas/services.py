"""Models of shared services: the parts that apps were given, and the snapshots of their databases; no credentials."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import AppPath, Id, RequestModel, ResponseModel
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


class SnapshotPath(AppPath):
    """A snapshot of an app's database in a path."""

    snapshot: Id
    """Number of the snapshot."""


class SnapshotRequest(RequestModel):
    """A snapshot to take."""

    backup: bool = False
    """Take a backup, which is kept by the rules of `services.postgres.backup`."""


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
    rows: int | None
    """The number of rows of all tables together."""
    drilled_at: datetime | None
    """The moment at which a drill last restored it."""
    file: str = Field(examples=["mail-agent-12.dump"])
    """The file in `snapshots` of the data directory, or for a backup in the directory of backups."""


class DatabaseResponse(ResponseModel):
    """A database of an app."""

    app: str = Field(examples=["mail-agent"])
    name: str = Field(examples=["mailagent_db"])
    bytes: int | None
    """Its size; null until it was observed."""
    connections: int | None
    seen_at: datetime | None
    """The moment of that observation."""
    named: bool
    """False if the infraspec no longer names it; it is kept with its data."""
    schedule: str | None = Field(examples=["@daily"])
    """The schedule of its backups."""
    next_backup: datetime | None
    last_backup: datetime | None
    """The moment of the newest complete backup."""
    drilled_at: datetime | None
    """The moment at which a drill last restored a backup."""
