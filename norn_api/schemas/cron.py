"""Models of schedules, ticks and cron runs."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from norn_api.schemas.common import Id, InPath, InQuery, ListQuery, LongText, RequestModel, ResponseModel, Text
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


class TickResponse(ResponseModel):
    """An occurrence and its verdict; with `until`, a range of `how_many` occurrences with one verdict.

    A history also has manual runs: they have no occurrence, so `id` and `verdict` are null, and `scheduled_for` is the
    time of the request.
    """

    id: int | None = Field(examples=[42])
    scheduled_for: datetime
    until: datetime | None
    how_many: int
    verdict: str | None = Field(examples=["fired"])
    trigger: str | None = Field(examples=["schedule"])
    """The trigger of its run: `schedule`, `catchup` or `manual`; null if nothing ran."""
    reason: str
    execution: int | None
    job: int | None
    state: str | None
    """The state of its run."""
    exit_code: int | None
    duration_ms: int | None
    attempt: int | None
    """The number of this attempt, from 1."""
    begun_at: datetime | None
    """The time at which its code began; `scheduled_for` is the time at which it was due."""
    sentence: str | None
    """The cause of the run's failure."""
    first_error_line: str | None


class MarkResponse(ResponseModel):
    """An occurrence, or a range of `how_many` occurrences, as one mark of the bar that shows a history."""

    scheduled_for: datetime
    how_many: int
    verdict: str = Field(examples=["fired"])
    state: str | None = Field(examples=["succeeded"])
    execution: int | None


class TicksQuery(ListQuery):
    """The page of a history; `after` is `next` of the previous page."""

    verdict: Verdict | None = None
    """Only occurrences with this verdict, and so no manual runs."""


class ScheduleOverride(ResponseModel):
    """A schedule that a user set in place of the spec's."""

    schedule: str
    by: str
    at: datetime | None


class Pause(ResponseModel):
    """The user who paused the schedule, with time and reason."""

    by: str
    at: datetime
    reason: str


class ScheduleResponse(ResponseModel):
    """An app's schedule.

    `state`: `waiting for its first deploy`, `off: its infraspec says deploy: false`, `scheduled`, `paused`,
    `cannot be read` or `not forged`.
    """

    text: str = Field(examples=["0 9 * * *"])
    words: str = Field(examples=["at 09:00 every day"])
    """The schedule in words; empty if it cannot be read."""
    timezone: str = Field(examples=["UTC"])
    next: datetime | None
    state: str = Field(examples=["scheduled"])
    override: ScheduleOverride | None
    paused: Pause | None
    last: TickResponse | None


class ScheduleSummary(ResponseModel):
    """An app's schedule in a list, with its last 30 occurrences, oldest first."""

    app: str = Field(examples=["daily-report"])
    schedule: ScheduleResponse
    recent: list[MarkResponse]


class SchedulesQuery(InQuery):
    """The page of the list."""

    limit: int = Field(100, ge=1, le=200)
    """The maximum number of items."""
    after: Text | None = None
    """`next` of the previous page."""


class CronRunResponse(ResponseModel):
    """A cron run with its output (head and tail, with the number of bytes dropped in between)."""

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
    """The digest of the image that ran."""
    trigger: str = Field(examples=["schedule"])
    verdict: str | None
    """The verdict on its occurrence; null for a manual run."""
    scheduled_for: datetime | None
    """The moment of its occurrence."""
    planned_at: datetime | None
    """The planned beginning: the moment of its occurrence plus the jitter."""
    created_at: datetime
    begun_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    stdout: str
    stdout_dropped: int
    stderr: str
    stderr_dropped: int


class CronResponse(ResponseModel):
    """An app's schedule with its next three occurrences, its last five runs and its last 30 occurrences."""

    app: str = Field(examples=["daily-report"])
    schedule: ScheduleResponse
    next: list[datetime]
    last: list[CronRunResponse]
    recent: list[MarkResponse]
    """The last 30 occurrences, oldest first."""


class NextQuery(InQuery):
    """The occurrences to list."""

    n: int = Field(10, ge=1, le=100)
    """The number of occurrences."""
    around: Text | None = Field(None, examples=["2026-10-25"], max_length=40)
    """The first moment to list: a date or a time, in the schedule's zone unless it names one; the default is now."""
    schedule: Text | None = Field(None, examples=["*/5 * * * *"], max_length=200)
    """A schedule to preview instead of the app's."""
    timezone: Text | None = Field(None, examples=["Europe/Berlin"], max_length=100)
    """The zone of the listed schedule; the default is the app's."""


class OccurrenceResponse(ResponseModel):
    """One future occurrence."""

    at: datetime
    local: str = Field(examples=["2026-10-25 02:30:00"])
    """The local time in the schedule's zone."""
    offset: str = Field(examples=["+02:00"])
    """The offset of the schedule's zone from UTC at that time."""
    note: str
    """The effect of a clock change on this occurrence; empty if there is none."""


class NextResponse(ResponseModel):
    """The next times of a schedule."""

    text: str = Field(examples=["0 9 * * *"])
    words: str = Field(examples=["at 09:00 every day"])
    """The schedule in words."""
    timezone: str = Field(examples=["UTC"])
    items: list[OccurrenceResponse]
    state: str = Field(examples=["scheduled"])
    """The state of the app's schedule: the app really runs at these times only if it is `scheduled`."""
    paused: Pause | None
    """The pause of the app's schedule, if it is paused."""
    next_odd_night: list[OccurrenceResponse]
    """The occurrences that the next clock change moves or could repeat, if the schedule has fixed times; empty if an
    item already has a `note`."""


class TriggerRequest(RequestModel):
    """Options of a manual run."""

    force: bool = False
    """Run even if another run has not ended."""
    command: CommandText | Argv | None = Field(None, examples=["python report.py --month 10"])
    """The command of this run instead of the app's: a list is executed as it is, text by `sh -c`."""
    env: dict[Text, LongText] = Field(default_factory=dict, examples=[{"MONTH": "10"}], max_length=100)
    """Variables of this run, in addition to the app's."""


class PauseRequest(RequestModel):
    """The reason of a pause."""

    reason: Text = Field("", examples=["the mail server moves"], max_length=500)


class ScheduleRequest(RequestModel):
    """A schedule that overrides the spec's until it is cleared."""

    schedule: Text = Field(examples=["*/5 * * * *"], max_length=200)
    timezone: Text | None = Field(None, examples=["Europe/Berlin"], max_length=100)
    """The default is the spec's zone."""
