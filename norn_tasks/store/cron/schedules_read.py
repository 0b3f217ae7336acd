"""Reads schedules and their ticks for people; `store.cron.schedules` changes schedules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, case, cast, extract, func, literal, null, select, true, union_all
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from norn_tasks.domain.schedule import RunTrigger
from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import AnySelect, Cut, Page, equal, newest_first, value
from norn_tasks.store.database.session import Tx

LINE = 300
"""The most characters of a run's first error line."""
BAR = 30
"""The most ticks of an app that a bar shows."""


@dataclass(frozen=True)
class CronSchedule:
    """An app's schedule: the schedule in the spec, its override, whether it is paused, and when it is due next."""

    app: str
    schedule: str
    timezone: str
    override_schedule: str | None
    override_timezone: str | None
    override_by: str | None
    override_at: datetime | None
    paused_at: datetime | None
    paused_by: str | None
    paused_reason: str | None
    anchor: datetime
    next_due: datetime | None

    @property
    def text(self) -> str:
        """The effective schedule."""
        return self.override_schedule or self.schedule

    @property
    def zone(self) -> str:
        """The time zone of the effective schedule."""
        return (self.override_schedule and self.override_timezone) or self.timezone


@dataclass(frozen=True)
class TickView:
    """An occurrence (with `until`: a range of `how_many`), its verdict, and the state of its run.

    A history also contains manual runs. They are not occurrences, and have neither `id` nor `verdict`. `trigger` says
    what started the run; None if nothing ran.
    """

    id: int | None
    app: str
    scheduled_for: datetime
    until: datetime | None
    how_many: int
    verdict: str | None
    trigger: str | None
    reason: str
    execution: int | None
    job: int | None
    decided_at: datetime
    state: str | None
    exit_code: int | None
    duration_ms: int | None
    attempt: int | None
    begun_at: datetime | None
    sentence: str | None
    first_error_line: str | None


@dataclass(frozen=True)
class VerdictMark:
    """An occurrence (or a range of `how_many`) as one mark in a bar: its verdict, and the state of its run."""

    scheduled_for: datetime
    how_many: int
    verdict: str
    state: str | None
    execution: int | None


def of(tx: Tx, apps: tuple[str, ...]) -> dict[str, CronSchedule]:
    """Returns the schedules of these apps; an app without one is left out."""
    c = t.CronStateRow
    query = select(
        c.app, c.schedule, c.timezone, c.override_schedule, c.override_timezone, c.override_by, c.override_at,
        c.paused_at, c.paused_by, c.paused_reason, c.anchor, c.next_due,
    ).where(c.app.in_(apps))  # fmt: skip
    return {row.app: value(CronSchedule, row) for row in tx.execute(query)}


def get(tx: Tx, app: str) -> CronSchedule | None:
    """Returns an app's schedule; None if it has none."""
    return of(tx, (app,)).get(app)


def _run(x: type[t.CronExecutionRow]) -> tuple[Any, ...]:
    """Returns the columns that say how a run ended; they include the first line of its stderr unless it succeeded."""
    complaint = func.left(func.ltrim(x.stderr, " \t\r\n"), LINE)
    first = case((x.state == "succeeded", None), else_=func.split_part(complaint, "\n", 1))
    return x.state, x.exit_code, x.duration_ms, x.attempt, x.begun_at, x.sentence, first.label("first_error_line")


def _ticks() -> AnySelect:
    k, x = t.CronTickRow, t.CronExecutionRow
    return select(
        k.id, k.app, k.scheduled_for, k.until, k.how_many, k.verdict, x.trigger, k.reason, k.execution,
        k.job_id.label("job"), k.decided_at, *_run(x),
    ).outerjoin(x, x.id == k.execution)  # fmt: skip


def _manual() -> AnySelect:
    """Returns the query of the manual runs, with the same columns as the query of ticks."""
    x = t.CronExecutionRow
    return select(
        cast(null(), BigInteger).label("id"), x.app, x.created_at.label("scheduled_for"), null().label("until"),
        literal(1, Integer).label("how_many"), cast(null(), Text).label("verdict"), x.trigger,
        literal("by ", Text).concat(x.actor).label("reason"), x.id.label("execution"), x.job_id.label("job"),
        x.created_at.label("decided_at"), *_run(x),
    ).where(x.trigger == str(RunTrigger.MANUAL))  # fmt: skip


def history(tx: Tx, app: str, *, verdict: str | None = None, cut: Cut) -> Page[TickView]:
    """Lists an app's occurrences and its manual runs, latest first; with a verdict, only occurrences that have it.

    The next page begins with the first item that is earlier than the last item of this page.
    """
    k, x = t.CronTickRow, t.CronExecutionRow
    parts = [_ticks().where(k.app == app, *equal(verdict=(k.verdict, verdict)))]
    if verdict is None:
        parts.append(_manual().where(x.app == app))
    both = union_all(*parts).subquery()
    moment = cast(extract("epoch", both.c.scheduled_for) * 1_000_000, BigInteger)
    return newest_first(tx, select(*both.c), moment, TickView, cut)


def last_ticks(tx: Tx, apps: tuple[str, ...]) -> dict[str, TickView]:
    """Returns the latest tick of each of these apps that has one."""
    k = t.CronTickRow
    query = _ticks().where(k.app.in_(apps)).ext(distinct_on(k.app)).order_by(k.app, k.scheduled_for.desc())
    return {row.app: value(TickView, row) for row in tx.execute(query)}


def bars(tx: Tx, apps: tuple[str, ...]) -> dict[str, tuple[VerdictMark, ...]]:
    """Returns the latest ticks of each of these apps, at most BAR of them, oldest first."""
    k, x, app = (
        t.CronTickRow,
        t.CronExecutionRow,
        func.unnest(cast(list(apps), ARRAY(Text))).table_valued("app").render_derived(),
    )
    newest = select(k).where(k.app == app.c.app).order_by(k.scheduled_for.desc()).limit(BAR).lateral("k")
    query = (
        select(app.c.app, newest.c.scheduled_for, newest.c.how_many, newest.c.verdict, x.state, newest.c.execution)
        .select_from(app.join(newest, true()).outerjoin(x, x.id == newest.c.execution))
        .order_by(app.c.app, newest.c.scheduled_for)
    )
    found: dict[str, list[VerdictMark]] = {}
    for row in tx.execute(query):
        found.setdefault(row.app, []).append(VerdictMark(*row[1:]))
    return {name: tuple(marks) for name, marks in found.items()}
