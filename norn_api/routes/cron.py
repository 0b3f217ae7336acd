"""Schedules: what ran and why not, when it comes next, run now, pause, override."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from flask import Response

from norn_api.openapi import answers, noun
from norn_api.replies import accepted, items, key, listed, once, reply
from norn_api.schemas.common import ListOf, WorkAccepted
from norn_api.schemas.cron import (
    CronAnswer,
    CronRunAnswer,
    MarkAnswer,
    NextAnswer,
    NextQuery,
    OccurrenceAnswer,
    PauseAsked,
    RunPath,
    ScheduleAnswer,
    ScheduleAsked,
    SchedulePath,
    SchedulesQuery,
    ScheduleTold,
    TickAnswer,
    TicksQuery,
    TriggerAsked,
)
from norn_api.schemas.jobs import NothingAsked
from norn_api.schemas.oneoffs import argv_of
from norn_api.services import actor, norn
from norn_api.statuses import UNREADABLE, schedule_answer
from norn_tasks.dispatch import request_cron_run
from norn_tasks.domain.cron import Schedule, parse_schedule
from norn_tasks.domain.cron_told import told
from norn_tasks.domain.errors import Conflict, InvalidRequest, WrongRole
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.job import JobKind
from norn_tasks.store import apps_read, executions, schedules, schedules_read
from norn_tasks.store.apps_read import Chosen, SeenApp
from norn_tasks.store.reading import Cut
from norn_tasks.store.schedules_read import Mark
from norn_tasks.store.session import Tx

RECENT = Cut(limit=5)
FAR = datetime.max.replace(tzinfo=UTC)
api = noun("cron", "Schedules of cron apps, their ticks and runs")


@api.get("/api/cron", responses=answers(ListOf[ScheduleTold]))
def list_schedules(query: SchedulesQuery) -> Response:
    """Lists schedules by app, each with its last 30 occurrences."""
    services = norn()
    one_more = query.limit + 1
    chosen = Chosen(Role.CRON, reach=actor().apps, after=query.after or "", at_most=one_more)
    with services.database.transaction() as tx:
        known = apps_read.known(tx, services.settings.apps_dir, chosen)
        seen = apps_read.seen(tx, known[: query.limit])
        bars = schedules_read.bars(tx, tuple(app.name for app in seen))
    more = seen[-1].name if len(known) > query.limit else None
    schedules_told = [
        ScheduleTold(app=app.name, schedule=plan, recent=_marks(bars.get(app.name, ())))
        for app in seen
        if (plan := schedule_answer(app)) is not None
    ]
    return items(ScheduleTold, schedules_told, more)


def _marks(bar: tuple[Mark, ...]) -> list[MarkAnswer]:
    return [MarkAnswer.model_validate(mark) for mark in bar]


def _cron_app(tx: Tx, name: str) -> SeenApp:
    """Answers a cron app; raises AppNotFound or WrongRole."""
    app = apps_read.one(tx, norn().settings.apps_dir, name)
    if app.role is not Role.CRON:
        raise WrongRole(f"{name} is a {app.role or 'broken app'}: it has no schedule", hint=f"norn status {name}")
    return app


def _schedule(app: SeenApp) -> ScheduleAnswer:
    plan = schedule_answer(app)
    if plan is None:
        raise Conflict(f"{app.name} has no schedule: its infraspec cannot be read", hint=f"norn status {app.name}")
    return plan


@api.get("/api/apps/<app>/cron", responses=answers(CronAnswer))
def get_cron(path: SchedulePath) -> Response:
    """Tells an app's schedule, its next three occurrences and its last five runs."""
    return reply(_cron(path.app))


def _cron(name: str) -> CronAnswer:
    with norn().database.transaction() as tx:
        app = _cron_app(tx, name)
        runs = executions.cron_runs(tx, name, RECENT).items
        bar = schedules_read.bars(tx, (name,)).get(name, ())
    plan, now = _schedule(app), datetime.now(UTC)
    coming = (
        []
        if plan.state in ("none", UNREADABLE)
        else _next(parse_schedule(plan.text, plan.timezone), now, _anchor(app), 3)
    )
    last = [CronRunAnswer.model_validate(run) for run in runs]
    return CronAnswer(app=name, schedule=plan, next=coming, last=last, recent=_marks(bar))


def _next(schedule: Schedule, start: datetime, anchor: datetime | None, count: int) -> list[datetime]:
    return list(islice(schedule.between(start, FAR, anchor), count))


def _anchor(app: SeenApp) -> datetime | None:
    return app.schedule.anchor if app.schedule is not None else None


@api.get("/api/apps/<app>/cron/history", responses=answers(ListOf[TickAnswer]))
def list_ticks(path: SchedulePath, query: TicksQuery) -> Response:
    """Lists an app's occurrences with their verdicts, and its runs by hand, latest first."""
    with norn().database.transaction() as tx:
        _cron_app(tx, path.app)
        page = schedules_read.history(tx, path.app, verdict=query.verdict, cut=Cut(query.limit, query.after))
    return listed(TickAnswer, page)


@api.get("/api/apps/<app>/cron/next", responses=answers(NextAnswer))
def list_next(path: SchedulePath, query: NextQuery) -> Response:
    """Tells when an app's schedule comes, or when another one would, from now or from a given moment."""
    with norn().database.transaction() as tx:
        app = _cron_app(tx, path.app)
    plan = _schedule(app)
    zone = query.timezone or (_own_zone(app, plan) if query.schedule else plan.timezone)
    schedule = parse_schedule(query.schedule or plan.text, zone)
    start = _start(query.around, zone)
    moments = _next(schedule, start, None if query.schedule else _anchor(app), query.n)
    coming = [OccurrenceAnswer.model_validate(one) for one in told(schedule, moments, start)]
    return reply(NextAnswer(text=schedule.text, timezone=zone, items=coming))


def _own_zone(app: SeenApp, plan: ScheduleAnswer) -> str:
    """Answers the zone in which another schedule would be read: the infraspec's, as an override without one is."""
    return app.schedule.timezone if app.schedule is not None else plan.timezone


def _start(around: datetime | None, zone: str) -> datetime:
    """Answers the moment to count from; one without a zone is meant in the schedule's."""
    if around is None:
        return datetime.now(UTC)
    if not 1971 <= around.year <= 2999:
        raise InvalidRequest("around: it is not between the years 1971 and 2999", hint="choose a nearer moment")
    return around.replace(tzinfo=around.tzinfo or ZoneInfo(zone)).astimezone(UTC)


@api.get("/api/apps/<app>/cron/executions/<id:execution>", responses=answers(CronRunAnswer))
def get_cron_run(path: RunPath) -> Response:
    """Tells how a run went and what it printed."""
    with norn().database.transaction() as tx:
        run = executions.cron_run(tx, path.app, path.execution)
    return reply(CronRunAnswer.model_validate(run))


@api.post("/api/apps/<app>/cron/trigger", responses=answers(WorkAccepted, 202))
def trigger(path: SchedulePath, body: TriggerAsked) -> Response:
    """Runs the app now, paused or not; its schedule does not move."""
    command = argv_of(body.command) if body.command is not None else None
    work = request_cron_run(
        norn().intake, path.app, force=body.force, actor=actor().name, command=command, env=body.env, key=key()
    )
    return accepted(work, path.app, JobKind.CRON_RUN)


# Changes of the schedule


def _change(name: str, change: Callable[[Tx], None]) -> Response:
    """Changes a schedule, and answers how it is then."""

    def act(tx: Tx) -> int:
        _cron_app(tx, name)
        change(tx)
        return 200

    once(act)
    return reply(_cron(name))


@api.post("/api/apps/<app>/cron/pause", responses=answers(CronAnswer))
def pause(path: SchedulePath, body: PauseAsked) -> Response:
    """Stops firing until resumed; what runs goes on, and every skipped occurrence is accounted for."""
    return _change(path.app, lambda tx: schedules.pause(tx, path.app, actor().name, body.reason))


@api.post("/api/apps/<app>/cron/resume", responses=answers(CronAnswer))
def resume(path: SchedulePath, body: NothingAsked) -> Response:
    """Fires again from now on; nothing is made up for."""
    return _change(path.app, lambda tx: schedules.resume(tx, path.app, actor().name))


@api.put("/api/apps/<app>/cron/schedule", responses=answers(CronAnswer))
def set_schedule(path: SchedulePath, body: ScheduleAsked) -> Response:
    """Lets another schedule win over the spec's until it is cleared."""
    parse_schedule(body.schedule, body.timezone or "UTC")
    return _change(path.app, lambda tx: schedules.override(tx, path.app, body.schedule, body.timezone, actor().name))


@api.delete("/api/apps/<app>/cron/schedule", responses=answers(CronAnswer))
def clear_schedule(path: SchedulePath) -> Response:
    """Goes back to the spec's schedule."""
    return _change(path.app, lambda tx: schedules.clear_override(tx, path.app, actor().name))
