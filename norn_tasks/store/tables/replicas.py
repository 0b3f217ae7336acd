"""The replicas of the docker cluster, and the router's addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class ReplicaRow(Base):
    """A container of the docker cluster: recorded before it starts, read by the router."""

    __tablename__ = "replicas"
    container: Mapped[str] = mapped_column(primary_key=True)
    app: Mapped[str]
    release: Mapped[int]
    generation: Mapped[int]
    state: Mapped[str]
    address: Mapped[str] = mapped_column(server_default="")
    token: Mapped[int]
    drained_at: Mapped[datetime | None]
    drains_until: Mapped[datetime | None]
    """When a draining replica ends at the latest."""
    connections: Mapped[int | None]
    """How many connections the router still has open on it, once it gets no new requests."""
    memory: Mapped[int | None]
    health: Mapped[dict[str, Any] | None]
    """How it is checked while it is live; none for a worker."""
    failures: Mapped[int] = mapped_column(server_default="0")
    fault: Mapped[str] = mapped_column(server_default="")
    silent: Mapped[bool] = mapped_column(server_default="false")
    unhealthy: Mapped[bool] = mapped_column(server_default="false")
    """True when as many checks have failed in a row as its spec allows: requests then go to other replicas."""
    checked_at: Mapped[datetime | None]
    restarts: Mapped[int] = mapped_column(server_default="0")
    """How often the engine had restarted it at the last observation."""
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ReplicaEndRow(Base):
    """An end of a live replica that Norn did not request; `exit_code` is none if the engine no longer knows it."""

    __tablename__ = "replica_ends"
    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    container: Mapped[str]
    release: Mapped[int]
    generation: Mapped[int]
    at: Mapped[datetime]
    exit_code: Mapped[int | None]
    out_of_memory: Mapped[bool]
    times: Mapped[int] = mapped_column(server_default="1")
    """How many ends the row covers, if the engine reported only their number."""


class AppStateRow(Base):
    """A period in which an app was in one state; the current period has no end."""

    __tablename__ = "app_states"
    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    began_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]


class DriftRow(Base):
    """The last comparison of a running app with its live release."""

    __tablename__ = "drifts"
    app: Mapped[str] = mapped_column(ForeignKey("apps.name", ondelete="CASCADE"), primary_key=True)
    generation: Mapped[int]
    """The generation that it was compared with."""
    found: Mapped[list[Any]]
    """The fields that differ, each with the values of `domain.comparing.drift.Drift`."""
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)


class AddressRow(Base):
    """The loopback port that the router keeps for a webserver; `error` when it cannot listen there."""

    __tablename__ = "addresses"
    app: Mapped[str] = mapped_column(primary_key=True)
    port: Mapped[int]
    error: Mapped[str | None]
    listening_at: Mapped[datetime | None]
    runs_error: Mapped[str | None]
    """Why the router cannot listen for runs at the port of the app's containers."""
    entrance: Mapped[str | None]
    """The `host:port` to which the router sends requests of an app that has moved to another cluster; none for an app
    with replica rows.
    """
