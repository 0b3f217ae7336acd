"""Deployments, releases, and the sources that were uploaded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base, ViewBase


class DeploymentRow(Base):
    """One attempt to make a release live."""

    __tablename__ = "deployments"
    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    job_id: Mapped[int]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="queued")
    ref: Mapped[str | None]
    revision: Mapped[str | None]
    release: Mapped[int]
    actor: Mapped[str]
    error: Mapped[dict[str, Any] | None]
    returned_to: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]


class ReleaseRow(Base):
    """The image, source revision and infraspec of a release, which a rollback restores. Releases are numbered
    per app.
    """

    __tablename__ = "releases"
    __table_args__ = (PrimaryKeyConstraint("app", "n"),)
    app: Mapped[str]
    n: Mapped[int]
    image: Mapped[str | None]
    image_id: Mapped[str | None]
    engine: Mapped[str | None]
    """The only engine that has the image. For a published image: `home` if its containers must run on the home engine,
    else none.
    """
    published: Mapped[str | None]
    """The image in the registry, by digest."""
    key: Mapped[str | None]
    stages: Mapped[list[str]] = mapped_column(server_default="{}")
    revision: Mapped[str | None]
    spec: Mapped[dict[str, Any]]
    registered: Mapped[dict[str, Any] | None]
    """The spec that was registered when the release was accepted; `spec` itself may come from its revision."""
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    live_at: Mapped[datetime | None]
    pruned_at: Mapped[datetime | None]
    migrated_at: Mapped[datetime | None]
    """The end of the migration that its deploy ran."""


class LiveReleaseRow(ViewBase):
    """A view: the live release of each app that has one."""

    __tablename__ = "live_releases"
    app: Mapped[str] = mapped_column(primary_key=True)
    deployment: Mapped[int]
    """The deployment that made the release live."""
    generation: Mapped[int | None]
    """The generation of the replicas that run it: the job that started them."""
    n: Mapped[int]
    image: Mapped[str | None]
    image_id: Mapped[str | None]
    engine: Mapped[str | None]
    published: Mapped[str | None]
    revision: Mapped[str | None]
    spec: Mapped[dict[str, Any]]
    live_at: Mapped[datetime | None]


class SourceRow(Base):
    """An uploaded source of an app, by the digest of its tree; its archive is in SourcePieceRow."""

    __tablename__ = "sources"
    __table_args__ = (PrimaryKeyConstraint("app", "revision"),)
    app: Mapped[str]
    revision: Mapped[str]
    tree: Mapped[str]
    """The full digest of the tree; the revision has only its beginning."""
    files: Mapped[int]
    size: Mapped[int]
    actor: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    used_at: Mapped[datetime] = mapped_column(server_default=NOW)
    """The time of its last upload or deploy. A source that nothing needs is deleted a day after this time."""


class SourcePieceRow(Base):
    """A piece of an uploaded source's archive, in order."""

    __tablename__ = "source_pieces"
    __table_args__ = (
        PrimaryKeyConstraint("app", "revision", "n"),
        ForeignKeyConstraint(["app", "revision"], ["sources.app", "sources.revision"], ondelete="CASCADE"),
    )
    app: Mapped[str]
    revision: Mapped[str]
    n: Mapped[int]
    data: Mapped[bytes]
