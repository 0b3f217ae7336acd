"""Models of shared services: the parts that apps were given, and the snapshots of their databases; no credentials."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import AppPath, Id, RequestModel, ResponseModel
from norn_tasks.domain.services import ServiceKind, SnapshotReason


class ServicePartResponse(ResponseModel):
    """A database, a namespace of keys or a topic that an app was given."""

    app: str = Field(examples=["mail-agent"])
    """The app that owns it; for a topic, one of the apps that use it."""
    kind: ServiceKind
    name: str = Field(examples=["mailagent_db"])
    variable: str = Field(examples=["DATABASE_URL"])
    """The environment variable that holds its URL."""
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
    """True: take a backup, which is kept as `services.postgres.backup` says; false: take a snapshot."""


class SnapshotResponse(ResponseModel):
    """A dump of an app's database, on the machine of the worker that made it."""

    id: int = Field(examples=[12])
    app: str = Field(examples=["mail-agent"])
    database: str = Field(examples=["mailagent_db"])
    reason: SnapshotReason
    release: int | None
    """The release whose migration ran after this snapshot was taken."""
    at: datetime
    bytes: int | None
    """The size of the dump; null while it is being made, or if that failed."""
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
    """The moment at which size and connections were observed."""
    named: bool
    """False if the infraspec no longer names it; it is kept with its data."""
    schedule: str | None = Field(examples=["@daily"])
    """The schedule of its backups."""
    next_backup: datetime | None
    last_backup: datetime | None
    """The moment of the newest complete backup."""
    drilled_at: datetime | None
    """The moment at which a drill last restored a backup."""
