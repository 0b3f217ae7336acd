"""Schedules, the verdict of each of their occurrences, and the stretches whose occurrences are still to be counted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.columns import NOW, Base


class CronState(Base):
    """An app's schedule: the spec's and the override apart, its policies, paused or not, and when it is due next."""

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
    catchup: Mapped[str] = mapped_column(server_default="last")
    concurrency: Mapped[str] = mapped_column(server_default="forbid")
    start_deadline: Mapped[int | None]
    jitter: Mapped[int] = mapped_column(server_default="0")


class CronTick(Base):
    """An occurrence and its one verdict; `until` and `how_many` make it a range of occurrences with one verdict.

    `actor`: who paused, of a range of a pause; `closed_by` and `closed_for` (resume, edit, removal): who ended it.
    """

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
    actor: Mapped[str | None]
    closed_by: Mapped[str | None]
    closed_for: Mapped[str | None]


class CronGap(Base):
    """A stretch `(after, before)` of an app's time, under the schedule of then, whose occurrences are to be counted.

    `tick` is the range row that grows meanwhile; None until there is one. `verdict` is what they all get, except what
    the catch-up policy still runs of it (`catches_up`).
    """

    __tablename__ = "cron_gaps"
    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    schedule: Mapped[str]
    timezone: Mapped[str]
    anchor: Mapped[datetime]
    after: Mapped[datetime]
    before: Mapped[datetime]
    verdict: Mapped[str]
    reason: Mapped[str]
    catches_up: Mapped[bool] = mapped_column(server_default="false")
    tick: Mapped[int | None]
    decided_by: Mapped[str]
