"""Schedules, the verdict of each occurrence, and the gaps whose occurrences must still be counted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from norn_tasks.store.database.columns import NOW, Base


class CronStateRow(Base):
    """An app's schedule: the schedule in the spec, its override, its policies, its pause, and when it is due next."""

    __tablename__ = "cron_states"
    app: Mapped[str] = mapped_column(primary_key=True)
    """The app."""
    schedule: Mapped[str]
    """The schedule in the spec, as it is written there."""
    timezone: Mapped[str]
    """The time zone in the spec."""
    override_schedule: Mapped[str | None]
    """The schedule that an operator set instead."""
    override_timezone: Mapped[str | None]
    """The time zone that an operator set instead."""
    override_by: Mapped[str | None]
    """The actor that set the override."""
    override_at: Mapped[datetime | None]
    """The moment at which the override was set."""
    paused_at: Mapped[datetime | None]
    """The moment at which it was paused; none when it is not paused."""
    paused_by: Mapped[str | None]
    """The actor that paused it."""
    paused_reason: Mapped[str | None]
    """The reason that the actor gave."""
    concurrent: Mapped[int] = mapped_column(server_default="1")
    """How many runs may be running at the same time."""
    anchor: Mapped[datetime] = mapped_column(server_default=NOW)
    """The moment from which the intervals of an `@every` schedule are counted."""
    decided_until: Mapped[datetime] = mapped_column(server_default=NOW)
    """Every occurrence up to this time has its verdict, or belongs to a gap."""
    next_due: Mapped[datetime | None]
    """The next occurrence; none when there is none."""
    catchup: Mapped[str] = mapped_column(server_default="last")
    """The spec's policy for missed occurrences."""
    concurrency: Mapped[str] = mapped_column(server_default="forbid")
    """The policy in the infraspec for an occurrence that is due while a run is running."""
    start_deadline: Mapped[int | None]
    """The seconds after which an occurrence is no longer started."""
    jitter: Mapped[int] = mapped_column(server_default="0")
    """The largest delay of an occurrence, in seconds."""


class CronTickRow(Base):
    """An occurrence and its verdict, or a range of occurrences that share a verdict."""

    __tablename__ = "cron_ticks"
    id: Mapped[int] = mapped_column(primary_key=True)
    """The number of the row."""
    app: Mapped[str]
    """The app of the schedule."""
    scheduled_for: Mapped[datetime]
    """The occurrence, or the first one of a range. Unique together with `app`."""
    verdict: Mapped[str]
    """The decision about it; `Verdict` lists all verdicts."""
    reason: Mapped[str] = mapped_column(server_default="")
    """The reason why it did not run."""
    job_id: Mapped[int | None]
    """The job that runs it."""
    execution: Mapped[int | None]
    """The execution that runs it."""
    until: Mapped[datetime | None]
    """The last occurrence of a range; none for a single occurrence."""
    how_many: Mapped[int] = mapped_column(server_default="1")
    """How many occurrences the row covers."""
    open: Mapped[bool] = mapped_column(server_default="false")
    """True for the range of a pause that still grows; an app has at most one such range."""
    decided_by: Mapped[str]
    """The scheduler that decided it."""
    decided_at: Mapped[datetime] = mapped_column(server_default=NOW)
    """The moment of the decision."""
    actor: Mapped[str | None]
    """For the range of a pause, the actor that paused the schedule."""
    closed_by: Mapped[str | None]
    """For the range of a pause, the actor that ended the pause."""
    closed_for: Mapped[str | None]
    """For the range of a pause, the change that closed it: `resume`, `edit` or `removal`."""


class CronGapRow(Base):
    """A span of time whose missed occurrences must still be counted, with the schedule as it was then."""

    __tablename__ = "cron_gaps"
    id: Mapped[int] = mapped_column(primary_key=True)
    """The number of the row; older gaps are counted first."""
    app: Mapped[str]
    """The app of the schedule."""
    schedule: Mapped[str]
    """The schedule as it was then."""
    timezone: Mapped[str]
    """Its time zone as it was then."""
    anchor: Mapped[datetime]
    """The moment from which the intervals of an `@every` schedule are counted."""
    after: Mapped[datetime]
    """The gap begins after this moment."""
    before: Mapped[datetime]
    """The gap ends before this moment."""
    verdict: Mapped[str]
    """The verdict of its occurrences."""
    reason: Mapped[str]
    """The reason for that verdict."""
    catches_up: Mapped[bool] = mapped_column(server_default="false")
    """True if its newest occurrences must still be run, under the policy `catchup: all`."""
    tick: Mapped[int | None]
    """The row of `cron_ticks` whose range grows while the gap is counted."""
    decided_by: Mapped[str]
    """The scheduler that found the gap."""
