"""Schedules, and the verdict of each of their occurrences."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.columns import NOW, Base


class CronState(Base):
    """An app's schedule: the spec's and the override apart, paused or not, and when it is due next."""

    __tablename__ = "cron_states"
    app: Mapped[str] = mapped_column(primary_key=True)
    schedule: Mapped[str]
    timezone: Mapped[str]
    override_schedule: Mapped[str | None]
    override_timezone: Mapped[str | None]
    override_by: Mapped[str | None]
    override_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    paused_by: Mapped[str | None]
    paused_reason: Mapped[str | None]
    concurrent: Mapped[int] = mapped_column(server_default="1")
    anchor: Mapped[datetime] = mapped_column(server_default=NOW)
    decided_until: Mapped[datetime] = mapped_column(server_default=NOW)
    next_due: Mapped[datetime | None]


class CronTick(Base):
    """An occurrence and its one verdict; `until` and `how_many` make it a range of occurrences with one verdict."""

    __tablename__ = "cron_ticks"
    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    scheduled_for: Mapped[datetime]
    verdict: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    job_id: Mapped[int | None]
    execution: Mapped[int | None]
    until: Mapped[datetime | None]
    how_many: Mapped[int] = mapped_column(server_default="1")
    open: Mapped[bool] = mapped_column(server_default="false")
    decided_by: Mapped[str]
    decided_at: Mapped[datetime] = mapped_column(server_default=NOW)
