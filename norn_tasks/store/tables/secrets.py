"""The secrets of apps, and the parts of shared services that apps have."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class SecretRow(Base):
    """A version of a secret, encrypted for the server's key; `retired_at` is set when it was replaced or unset."""

    __tablename__ = "secrets"
    __table_args__ = (PrimaryKeyConstraint("app", "name", "version"),)
    app: Mapped[str]
    name: Mapped[str]
    sealed: Mapped[bytes]
    version: Mapped[int]
    set_by: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    retired_at: Mapped[datetime | None]


class SecretFileRow(Base):
    """An encrypted file of secrets that a job imports, or has exported."""

    __tablename__ = "secret_files"
    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    app: Mapped[str]
    content: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class SnapshotRow(Base):
    """A dump of an app's database; its row is written before its file."""

    __tablename__ = "snapshots"
    __table_args__ = (Index("snapshots_app", "app", "id"), Index("snapshots_job", "job_id"))
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    app: Mapped[str]
    database: Mapped[str]
    reason: Mapped[str]
    job_id: Mapped[int]
    release: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    bytes: Mapped[int | None]
    counts: Mapped[dict[str, Any] | None]
    drilled_at: Mapped[datetime | None]


class BackupPlanRow(Base):
    """The last backup and the last drill that were requested of an app's database, and their jobs."""

    __tablename__ = "backup_plans"
    app: Mapped[str] = mapped_column(primary_key=True)
    backup_at: Mapped[datetime] = mapped_column(server_default=NOW)
    backup_job: Mapped[int | None]
    drill_at: Mapped[datetime] = mapped_column(server_default=NOW)
    drill_job: Mapped[int | None]


class ServicePartRow(Base):
    """A part of a shared service that an app has: a database, a namespace, a topic or a bucket. The row is written
    before the part is created.
    """

    __tablename__ = "service_parts"
    __table_args__ = (
        PrimaryKeyConstraint("kind", "name", "app"),
        Index("service_parts_owner", "kind", "name", unique=True, postgresql_where=text("kind <> 'events'")),
        Index("service_parts_app", "app"),
    )
    kind: Mapped[str]
    name: Mapped[str]
    app: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    made_at: Mapped[datetime | None]
    bytes: Mapped[int | None]
    connections: Mapped[int | None]
    seen_at: Mapped[datetime | None]
    leaving_at: Mapped[datetime | None]
    """The moment at which a purge of the app began to remove the part."""
