"""Webhooks of repositories and their deliveries, the logins for repositories, and the newest commits of branches."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class WebhookRow(Base):
    """The webhook of a repository. Its secret is encrypted for the key of the API, which checks signatures."""

    __tablename__ = "webhooks"
    id: Mapped[int] = mapped_column(primary_key=True)
    repository: Mapped[str]
    """Host and path, as `repository_of` writes them."""
    url: Mapped[str]
    """The address with which it was created."""
    sealed: Mapped[bytes]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    rotated_at: Mapped[datetime | None]


class PushDeliveryRow(Base):
    """A signed request to a webhook. A repeated request with the same id and body gets no second row."""

    __tablename__ = "push_deliveries"
    id: Mapped[int] = mapped_column(primary_key=True)
    webhook: Mapped[int]
    digest: Mapped[str]
    """The SHA-256 of the sender's id and the body."""
    delivery: Mapped[str]
    """The id that the sender gave it."""
    event: Mapped[str]
    ref: Mapped[str | None]
    revision: Mapped[str | None]
    outcome: Mapped[str]
    times: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_at: Mapped[datetime] = mapped_column(server_default=NOW)


class PushedRow(Base):
    """The newest commit that was pushed for an app. A repeated push of the same commit changes nothing."""

    __tablename__ = "pushed"
    app: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[str]
    job: Mapped[int]
    """The job that compares it with the app's live release."""
    delivery: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class BranchRow(Base):
    """The newest commit of a branch from which apps are deployed, as a push or a poll has shown it."""

    __tablename__ = "branches"
    repository: Mapped[str] = mapped_column(primary_key=True)
    branch: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[str | None]
    seen_at: Mapped[datetime | None]
    """The moment at which the commit was last seen; none if no commit was seen yet."""
    error: Mapped[str]
    """The reason why the last poll failed; empty if it did not."""
    asked_at: Mapped[datetime] = mapped_column(server_default=NOW)


class PushJobRow(Base):
    """A job that a delivery caused for an app, and the outcome that the job has decided."""

    __tablename__ = "push_jobs"
    delivery: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    app: Mapped[str] = mapped_column(primary_key=True)
    job: Mapped[int]
    outcome: Mapped[str] = mapped_column(server_default="")


class LoginRow(Base):
    """The login for a private repository. Its token is encrypted so that only workers can read it."""

    __tablename__ = "repository_logins"
    id: Mapped[int] = mapped_column(primary_key=True)
    repository: Mapped[str] = mapped_column(unique=True)
    username: Mapped[str]
    sealed: Mapped[bytes]
    set_by: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
