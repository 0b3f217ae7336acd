"""Apps: their rows, the history of their specs, and the last observation of their replicas."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class InstanceRow(Base):
    """The control plane's own name, its public key and its home engine, in one row."""

    __tablename__ = "instance"
    name: Mapped[str] = mapped_column(primary_key=True)
    age_recipient: Mapped[str | None]
    """The public key for which secrets are encrypted."""
    engine: Mapped[str | None]
    """The home engine; see `store.fleet.engines`."""
    engine_host: Mapped[str | None]
    engine_seen_at: Mapped[datetime | None]


class AppRow(Base):
    """An app: its registered spec, the state of its infrastructure, and its live deployment."""

    __tablename__ = "apps"
    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    spec: Mapped[dict[str, Any]]
    """The registered spec with its defaults, for SQL statements."""
    written: Mapped[dict[str, Any]]
    """The same spec as it was written, for people: only the fields that the file has."""
    source: Mapped[str]
    """`applied` (PUT) or `directory` (NORN_APPS_DIR)."""
    origin: Mapped[str | None]
    """The directory of a `directory` app."""
    version: Mapped[int] = mapped_column(server_default="1")
    forge_state: Mapped[str] = mapped_column(server_default="unforged")
    forge_error: Mapped[dict[str, Any] | None]
    cluster: Mapped[str | None]
    """The cluster of a webserver or worker, from its first forge on."""
    address: Mapped[str | None]
    """The address at which its cluster exposes it to clients outside."""
    live_deployment: Mapped[int | None]
    live_generation: Mapped[int | None]
    replicas_override: Mapped[int | None]
    override_spec: Mapped[int | None]
    """The number in the infraspec when the override was set. The override ends when that number changes."""
    override_by: Mapped[str | None]
    override_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class AppSpecRow(Base):
    """The history of the specs that were applied."""

    __tablename__ = "app_specs"
    __table_args__ = (PrimaryKeyConstraint("app", "version"),)
    app: Mapped[str]
    version: Mapped[int]
    written: Mapped[dict[str, Any]]
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class WorkloadRow(Base):
    """The last observation of the replicas of an app."""

    __tablename__ = "workload_status"
    app: Mapped[str] = mapped_column(primary_key=True)
    wanted: Mapped[int]
    ready: Mapped[int]
    replicas: Mapped[list[Any]]
    message: Mapped[str] = mapped_column(server_default="")
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
