"""What somebody should know: alerts, where they are sent, what became of each sending, and the dead man's switch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.columns import NOW, Base


class Alert(Base):
    """An alert, open until it is resolved; one of a key is open at a time."""

    __tablename__ = "alerts"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    kind: Mapped[str]
    app: Mapped[str]
    sentence: Mapped[str]
    hint: Mapped[str]
    tick: Mapped[int | None]
    raised_at: Mapped[datetime] = mapped_column(server_default=NOW)
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None]


class Destination(Base):
    """A receiver of notifications. What signs what it gets is sealed: only workers can open it."""

    __tablename__ = "destinations"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    url: Mapped[str]
    sealed: Mapped[bytes]
    apps: Mapped[list[str] | None]
    kinds: Mapped[list[str] | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Delivery(Base):
    """One thing to tell one destination, tried until it is taken or given up."""

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
    told: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]


class DeadMan(Base):
    """The one row of the dead man's switch: when its call was last asked for and last answered, and what went wrong."""

    __tablename__ = "deadman"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    asked_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(server_default="")
