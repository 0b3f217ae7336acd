"""Schedules: past occurrences, next times, manual runs, pauses and overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from flask import Response

from norn_api.schemas.common import ListOf, WorkAccepted
from norn_api.schemas.cron import (
    CronResponse,
    CronRunResponse,
    MarkResponse,
    NextQuery,
    NextResponse,
    OccurrenceResponse,
    PauseRequest,
    RunPath,
    SchedulePath,
    ScheduleRequest,
    ScheduleResponse,
    SchedulesQuery,
    ScheduleSummary,
    TickResponse,
    TicksQuery,
    TriggerRequest,
)
from norn_api.schemas.jobs import NothingRequest
from norn_api.schemas.oneoffs import argv_of
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import accepted, items, key, listed, once, reply
from norn_api.web.statuses import NOT_FORGED, UNREADABLE, schedule_response
from norn_tasks import dispatch
from norn_tasks.domain.cron.description import Occurrence, described, next_odd_night
from norn_tasks.domain.cron.expression import Schedule, parse_schedule
from norn_tasks.domain.cron.words import words
from norn_tasks.domain.errors import Conflict, InvalidRequest, WrongRole
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.wording import shown
from norn_tasks.store.cron import schedules_read
from norn_tasks.store.cron.schedules_read import VerdictMark
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Tx
from norn_tasks.store.runs import runs_read
from norn_tasks.store.status import apps
from norn_tasks.store.status.apps import AppFilter, AppView

RECENT = Cut(limit=5)
FAR = datetime.max.replace(tzinfo=UTC)
INCLUDED = timedelta(microseconds=1)
"""The start of a list of occurrences is moved back by this much, so that an occurrence at exactly the start is listed
too.
"""
api = noun("cron", "Schedules of cron apps, their ticks and runs")


@api.get("/api/cron", responses=responses_of(ListOf[ScheduleSummary]))
def list_schedules(query: SchedulesQuery) -> Response:
    """Lists schedules by app, each with its last 30 occurrences."""
    services = norn()
    one_more = query.limit + 1
    chosen = AppFilter(Role.CRON, reach=actor().apps, after=query.after or "", at_most=one_more)
    with services.database.transaction() as tx:
        known = apps.known(tx, services.settings.apps_dir, chosen)
        seen = apps.seen(tx, known[: query.limit])
        bars = schedules_read.bars(tx, tuple(app.name for app in seen))
    more = seen[-1].name if len(known) > query.limit else None
    summaries = [
        ScheduleSummary(app=app.name, schedule=plan, recent=_marks(bars.get(app.name, ())))
        for app in seen
        if (plan := schedule_response(app)) is not None
    ]
    return items(ScheduleSummary, summaries, more)


def _marks(bar: tuple[VerdictMark, ...]) -> list[MarkResponse]:
    return [MarkResponse.model_validate(mark) for mark in bar]


def _cron_app(tx: Tx, name: str) -> AppView:
    """Returns a cron app; raises AppNotFound or WrongRole."""
    app = apps.one(tx, norn().settings.apps_dir, name)
    if app.role is not Role.CRON:
        raise WrongRole(f"{name} is a {app.role or 'broken app'}: it has no schedule", hint=f"norn status {name}")
    return app


def _schedule(app: AppView) -> ScheduleResponse:
    plan = schedule_response(app)
    if plan is None:
        raise Conflict(f"{app.name} has no schedule: its infraspec cannot be read", hint=f"norn status {app.name}")
    return plan


@api.get("/api/apps/<app>/cron", responses=responses_of(CronResponse))
def get_cron(path: SchedulePath) -> Response:
    """Returns an app's schedule, its next three occurrences, its last five runs and its last 30 occurrences."""
    return reply(_cron(path.app))


def _cron(name: str) -> CronResponse:
    with norn().database.transaction() as tx:
        app = _cron_app(tx, name)
        runs = runs_read.cron_runs(tx, name, RECENT).items
        bar = schedules_read.bars(tx, (name,)).get(name, ())
    plan, now = _schedule(app), datetime.now(UTC)
    coming = (
        []
        if plan.state in (NOT_FORGED, UNREADABLE)
        else _next(parse_schedule(plan.text, plan.timezone), now, _anchor(app), 3)
    )
    last = [CronRunResponse.model_validate(run) for run in runs]
    return CronResponse(app=name, schedule=plan, next=coming, last=last, recent=_marks(bar))


def _next(schedule: Schedule, start: datetime, anchor: datetime | None, count: int) -> list[datetime]:
    return list(islice(schedule.between(start, FAR, anchor), count))


def _anchor(app: AppView) -> datetime | None:
    return app.schedule.anchor if app.schedule is not None else None


@api.get("/api/apps/<app>/cron/history", responses=responses_of(ListOf[TickResponse]))
def list_ticks(path: SchedulePath, query: TicksQuery) -> Response:
    """Lists an app's occurrences with their verdicts, and its manual runs, latest first."""
    with norn().database.transaction() as tx:
        _cron_app(tx, path.app)
        page = schedules_read.history(tx, path.app, verdict=query.verdict, cut=Cut(query.limit, query.after))
    return listed(TickResponse, page)


@api.get("/api/apps/<app>/cron/next", responses=responses_of(NextResponse))
def list_next(path: SchedulePath, query: NextQuery) -> Response:
    """Lists the next times of an app's schedule, or of another schedule, from now or from a given moment."""
    with norn().database.transaction() as tx:
        app = _cron_app(tx, path.app)
    plan = _schedule(app)
    other = query.schedule is not None
    zone = query.timezone or (_own_zone(app, plan) if other else plan.timezone)
    schedule = parse_schedule(plan.text if query.schedule is None else query.schedule, zone)
    start = _start(query.around, zone)
    anchor = (start if query.around else None) if other else _anchor(app)
    start -= INCLUDED if query.around else timedelta()
    coming = list(described(schedule, _next(schedule, start, anchor, query.n), start))
    odd = () if any(each.note for each in coming) else next_odd_night(schedule, start)
    return reply(
        NextResponse(
            text=schedule.text, words=words(schedule), timezone=zone, state=plan.state, paused=plan.paused,
            items=_listed(coming), next_odd_night=_listed(odd),
        )
    )  # fmt: skip


def _listed(occurrences: Iterable[Occurrence]) -> list[OccurrenceResponse]:
    return [OccurrenceResponse.model_validate(each) for each in occurrences]


def _own_zone(app: AppView, plan: ScheduleResponse) -> str:
    """Returns the zone of a previewed schedule that is given without one: the zone in the infraspec, which an override
    without a zone gets too.
    """
    return app.schedule.timezone if app.schedule is not None else plan.timezone


def _start(text: str | None, zone: str) -> datetime:
    """Returns the moment to start at. A date, or a time without a zone, is in the schedule's zone."""
    if text is None:
        return datetime.now(UTC)
    try:
        around = datetime.fromisoformat(text)
    except ValueError as error:
        hint = "write 2026-10-25, or 2026-10-25T01:00 in the schedule's zone"
        raise InvalidRequest(f"around: {shown(text)} is not a time", hint=hint) from error
    if not 1971 <= around.year <= 2999:
        raise InvalidRequest("around: it is not between the years 1971 and 2999", hint="choose a nearer moment")
    return around.replace(tzinfo=around.tzinfo or ZoneInfo(zone)).astimezone(UTC)


@api.get("/api/apps/<app>/cron/executions/<id:execution>", responses=responses_of(CronRunResponse))
def get_cron_run(path: RunPath) -> Response:
    """Returns a run with its output."""
    with norn().database.transaction() as tx:
        run = runs_read.cron_run(tx, path.app, path.execution)
    return reply(CronRunResponse.model_validate(run))


@api.post("/api/apps/<app>/cron/trigger", responses=responses_of(WorkAccepted, 202))
def trigger(path: SchedulePath, body: TriggerRequest) -> Response:
    """Runs the app now, paused or not; its schedule stays the same."""
    command = argv_of(body.command) if body.command is not None else None
    work = dispatch.request_cron_run(
        norn().intake, path.app, force=body.force, actor=actor().name, command=command, env=body.env, key=key()
    )
    return accepted(work, path.app, JobKind.CRON_RUN)


# Changes of the schedule


def _change(name: str, change: Callable[[Tx], None]) -> Response:
    """Changes a schedule, and returns its new state."""

    def act(tx: Tx) -> int:
        _cron_app(tx, name)
        change(tx)
        return 200

    once(act)
    return reply(_cron(name))


@api.post("/api/apps/<app>/cron/pause", responses=responses_of(CronResponse))
def pause(path: SchedulePath, body: PauseRequest) -> Response:
    """Stops the schedule from firing until it is resumed; skipped occurrences are recorded, and runs that have begun
    continue.
    """
    return _change(path.app, lambda tx: dispatch.pause_schedule(tx, path.app, body.reason, actor=actor().name))


@api.post("/api/apps/<app>/cron/resume", responses=responses_of(CronResponse))
def resume(path: SchedulePath, body: NothingRequest) -> Response:
    """Lets the schedule fire again; skipped occurrences do not run later."""
    return _change(path.app, lambda tx: dispatch.resume_schedule(tx, path.app, actor=actor().name))


@api.put("/api/apps/<app>/cron/schedule", responses=responses_of(CronResponse))
def set_schedule(path: SchedulePath, body: ScheduleRequest) -> Response:
    """Overrides the spec's schedule until the override is cleared."""
    parse_schedule(body.schedule, body.timezone or "UTC")
    by = actor().name
    return _change(
        path.app, lambda tx: dispatch.override_schedule(tx, path.app, body.schedule, body.timezone, actor=by)
    )


@api.delete("/api/apps/<app>/cron/schedule", responses=responses_of(CronResponse))
def clear_schedule(path: SchedulePath) -> Response:
    """Returns to the spec's schedule."""
    return _change(path.app, lambda tx: dispatch.clear_schedule_override(tx, path.app, actor=actor().name))
