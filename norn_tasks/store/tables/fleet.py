"""The processes that work: workers and beats."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.columns import NOW, Base


class Worker(Base):
    """A worker process of one class, as it last spoke for itself."""

    __tablename__ = "workers"
    name: Mapped[str] = mapped_column(primary_key=True)
    class_: Mapped[str] = mapped_column("class")
    host: Mapped[str]
    pid: Mapped[int]
    engine: Mapped[str | None]
    engine_error: Mapped[str | None]
    slots: Mapped[int]
    busy: Mapped[int] = mapped_column(server_default="0")
    last_claim_at: Mapped[datetime | None]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
    draining_at: Mapped[datetime | None]
    spaces: Mapped[list[Any]] = mapped_column(server_default="[]")
    """What is free on its disks."""
    clock_offset: Mapped[float] = mapped_column(server_default="0")
    """How many seconds its machine's clock is ahead of the database's."""


class EngineRow(Base):
    """A container engine that workers speak for: its bytes of memory for apps, and those that a build takes of them."""

    __tablename__ = "engines"
    id: Mapped[str] = mapped_column(primary_key=True)
    memory: Mapped[int]
    building: Mapped[int]
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Beat(Base):
    """A beat process, and how late its last tick was (seconds)."""

    __tablename__ = "beats"
    name: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
    lag_seconds: Mapped[float] = mapped_column(server_default="0")
