"""What an app is: its row, the history of its spec, and what the last look at the cluster saw of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.columns import NOW, Base


class Instance(Base):
    """The control plane's own name and public key, in one row."""

    __tablename__ = "instance"
    name: Mapped[str] = mapped_column(primary_key=True)
    age_recipient: Mapped[str | None]
    """The public key to which secrets are sealed."""
    engine: Mapped[str | None]
    """The home engine; see `store.engines`."""
    engine_host: Mapped[str | None]
    engine_seen_at: Mapped[datetime | None]


class App(Base):
    """An app: its registered spec, how its infrastructure stands, which deployment is live."""

    __tablename__ = "apps"
    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    spec: Mapped[dict[str, Any]]
    source: Mapped[str]
    """`applied` (PUT) or `directory` (NORN_APPS_DIR)."""
    origin: Mapped[str | None]
    """The directory of a `directory` app."""
    version: Mapped[int] = mapped_column(server_default="1")
    forge_state: Mapped[str] = mapped_column(server_default="unforged")
    forge_error: Mapped[dict[str, Any] | None]
    cluster: Mapped[str | None]
    live_deployment: Mapped[int | None]
    live_generation: Mapped[int | None]
    replicas_override: Mapped[int | None]
    override_spec: Mapped[int | None]
    """The spec's number when the override was set: the override ends when the spec's number changes."""
    override_by: Mapped[str | None]
    override_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class AppSpec(Base):
    """The history of what was applied."""

    __tablename__ = "app_specs"
    __table_args__ = (PrimaryKeyConstraint("app", "version"),)
    app: Mapped[str]
    version: Mapped[int]
    spec: Mapped[dict[str, Any]]
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class WorkloadRow(Base):
    """What the last look at the cluster saw of an app."""

    __tablename__ = "workload_status"
    app: Mapped[str] = mapped_column(primary_key=True)
    wanted: Mapped[int]
    ready: Mapped[int]
    replicas: Mapped[list[Any]]
    message: Mapped[str] = mapped_column(server_default="")
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
