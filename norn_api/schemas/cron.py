"""Shapes of schedules, ticks and cron runs."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import Answered, Asked, Id, InPath, InQuery, ListQuery, LongText, Text
from norn_api.schemas.oneoffs import Argv, CommandText
from norn_tasks.domain.schedule import Verdict


class SchedulePath(InPath):
    """A cron app in a path."""

    app: Text = Field(examples=["daily-report"])
    """Name of the app."""


class RunPath(InPath):
    """A cron run in a path."""

    app: Text = Field(examples=["daily-report"])
    """Name of the app."""
    execution: Id
    """Id of the run."""


class TickAnswer(Answered):
    """An occurrence and its verdict; with `until`, a range of `how_many` occurrences with one verdict.

    In a history also a run by hand: no occurrence, so `id` and `verdict` are null, and `scheduled_for` is when it was
    asked for.
    """

    id: int | None = Field(examples=[42])
    scheduled_for: datetime
    until: datetime | None
    how_many: int
    verdict: str | None = Field(examples=["fired"])
    trigger: str | None = Field(examples=["schedule"])
    """What made it run: schedule, catchup, manual; null when nothing ran."""
    reason: str
    execution: int | None
    job: int | None
    state: str | None
    """How its run stands."""
    exit_code: int | None
    duration_ms: int | None
    attempt: int | None
    """Which try of the run this is, from 1."""
    begun_at: datetime | None
    """When its code began; `scheduled_for` is when it was to."""
    sentence: str | None
    """Why the run ended badly."""
    first_error_line: str | None


class MarkAnswer(Answered):
    """An occurrence, or a range of `how_many`, as one sign of a bar."""

    scheduled_for: datetime
    how_many: int
    verdict: str = Field(examples=["fired"])
    state: str | None = Field(examples=["succeeded"])
    execution: int | None


class TicksQuery(ListQuery):
    """Which part of a history; `after` is `next` of the part before."""

    verdict: Verdict | None = None
    """Only occurrences with this verdict, and so no runs by hand."""


class ScheduleOverride(Answered):
    """A schedule that was set by hand and wins over the spec's."""

    schedule: str
    by: str
    at: datetime | None


class Pause(Answered):
    """Who paused the schedule, when and why."""

    by: str
    at: datetime
    reason: str


class ScheduleAnswer(Answered):
    """An app's schedule.

    `state`: waiting for its first deploy, off (`deploy: false`), scheduled, paused, cannot be read, none.
    """

    text: str = Field(examples=["0 9 * * *"])
    timezone: str = Field(examples=["UTC"])
    next: datetime | None
    state: str = Field(examples=["scheduled"])
    override: ScheduleOverride | None
    paused: Pause | None
    last: TickAnswer | None


class ScheduleTold(Answered):
    """An app's schedule in a list, with its last 30 occurrences, oldest first."""

    app: str = Field(examples=["daily-report"])
    schedule: ScheduleAnswer
    recent: list[MarkAnswer]


class SchedulesQuery(InQuery):
    """Which part of the list."""

    limit: int = Field(100, ge=1, le=200)
    """Items at most."""
    after: Text | None = None
    """`next` of the part before."""


class CronRunAnswer(Answered):
    """A cron run: how it went and what it printed (head and tail, with the number of bytes dropped between)."""

    id: int = Field(examples=[42])
    app: str = Field(examples=["daily-report"])
    kind: str = "cron"
    job: int
    release: int | None
    state: str = Field(examples=["succeeded"])
    cause: str
    sentence: str
    hint: str
    exit_code: int | None
    attempt: int
    actor: str = Field(examples=["schedule"])
    image_id: str | None
    """The image that ran, by its digest."""
    trigger: str = Field(examples=["schedule"])
    verdict: str | None
    """That of its occurrence; null for a run by hand."""
    scheduled_for: datetime | None
    """The moment of its occurrence."""
    planned_at: datetime | None
    """When it was to begin: that moment, and the jitter."""
    created_at: datetime
    begun_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    stdout: str
    stdout_dropped: int
    stderr: str
    stderr_dropped: int


class CronAnswer(Answered):
    """All about an app's schedule: the next three occurrences, the last five runs, the last 30 occurrences."""

    app: str = Field(examples=["daily-report"])
    schedule: ScheduleAnswer
    next: list[datetime]
    last: list[CronRunAnswer]
    recent: list[MarkAnswer]
    """Oldest first."""


class NextQuery(InQuery):
    """Which occurrences."""

    n: int = Field(10, ge=1, le=100)
    """How many."""
    around: datetime | None = None
    """Counted from this moment (without a zone: in the schedule's); from now when left out."""
    schedule: Text | None = Field(None, examples=["*/5 * * * *"], max_length=200)
    """Another schedule than the app's: what would it do?"""
    timezone: Text | None = Field(None, examples=["Europe/Berlin"], max_length=100)
    """The zone of that schedule; the app's when left out."""


class OccurrenceAnswer(Answered):
    """One coming occurrence."""

    at: datetime
    local: str = Field(examples=["2026-10-25 02:30:00"])
    """What the clock in the schedule's zone shows then."""
    offset: str = Field(examples=["+02:00"])
    """How far that clock is from UTC."""
    note: str
    """What a change of the clocks does to it; empty on any other day."""


class NextAnswer(Answered):
    """When a schedule comes."""

    text: str = Field(examples=["0 9 * * *"])
    timezone: str = Field(examples=["UTC"])
    items: list[OccurrenceAnswer]


class TriggerAsked(Asked):
    """How to run now."""

    force: bool = False
    """Even when a run has not ended."""
    command: CommandText | Argv | None = Field(None, examples=["python report.py --month 10"])
    """For this run alone, in place of the app's own: a list is executed as it is, text by `sh -c`."""
    env: dict[Text, LongText] = Field(default_factory=dict, examples=[{"MONTH": "10"}], max_length=100)
    """For this run alone, added to the app's own."""


class PauseAsked(Asked):
    """Why to pause."""

    reason: Text = Field("", examples=["the mail server moves"], max_length=500)


class ScheduleAsked(Asked):
    """A schedule that wins over the spec's until it is cleared."""

    schedule: Text = Field(examples=["*/5 * * * *"], max_length=200)
    timezone: Text | None = Field(None, examples=["Europe/Berlin"], max_length=100)
    """The spec's zone when left out."""
