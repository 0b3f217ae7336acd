"""Alerts, the destinations of notifications, each delivery, and the dead man's switch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class AlertRow(Base):
    """An alert, open until it is resolved; a rule has at most one open alert with the same key."""

    __tablename__ = "alerts"
    id: Mapped[int] = mapped_column(primary_key=True)
    rule: Mapped[str]
    """The rule that raised it; only that rule resolves it."""
    key: Mapped[str]
    kind: Mapped[str]
    app: Mapped[str]
    sentence: Mapped[str]
    hint: Mapped[str]
    tick: Mapped[int | None]
    raised_at: Mapped[datetime] = mapped_column(server_default=NOW)
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None]


class DestinationRow(Base):
    """A receiver of notifications. If its format is signed, it has a secret, which is encrypted so that only workers
    can read it.
    """

    __tablename__ = "destinations"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    url: Mapped[str]
    format: Mapped[str] = mapped_column(server_default="json")
    sealed: Mapped[bytes | None]
    apps: Mapped[list[str] | None]
    kinds: Mapped[list[str] | None]
    severity: Mapped[str] = mapped_column(server_default="warning")
    """The least severity of the alerts that it gets."""
    sent_at: Mapped[datetime | None]
    """The moment of its last message that reports alerts, or the end of the pause that it asked for."""
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class DeliveryRow(Base):
    """A notification for one destination, which is tried until it is delivered or given up."""

    __tablename__ = "deliveries"
    id: Mapped[int] = mapped_column(primary_key=True)
    destination: Mapped[int]
    subject: Mapped[str]
    event: Mapped[str]
    app: Mapped[str | None]
    body: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_at: Mapped[datetime] = mapped_column(server_default=NOW)
    job_id: Mapped[int | None]
    part_of: Mapped[int | None]
    """The delivery whose message reports this one too."""
    left_to: Mapped[str] = mapped_column(server_default="")
    """The mail addresses, separated by commas, that have not received it yet; empty if it goes to all addresses."""
    outcome: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]


class CallbackRow(Base):
    """The callback of an asynchronous call; the row is deleted when the delivery is written."""

    __tablename__ = "callbacks"
    execution: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    destination: Mapped[int]


class DeadManRow(Base):
    """The one row of the dead man's switch: its last call, the last answer, and the last error."""

    __tablename__ = "deadman"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    asked_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(server_default="")
