"""Turns an app as the store sees it into the answer that tells it: one word, who and when, where it is reached."""

from __future__ import annotations

from typing import Any

from flask import request

from norn_api.schemas.alerts import AlertTold
from norn_api.schemas.apps import (
    AppAnswer,
    ForgeTold,
    JobTold,
    LiveTold,
    ReplicaAnswer,
    ReplicasTold,
    RunTold,
)
from norn_api.schemas.common import MistakeAnswer, Why
from norn_api.schemas.cron import Pause, ScheduleAnswer, ScheduleOverride, TickAnswer
from norn_api.schemas.jobs import DeploymentAnswer
from norn_tasks.domain.cron import parse_schedule
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.infraspec.later import NOT_ROUTED
from norn_tasks.settings import Settings
from norn_tasks.store.apps_read import SeenApp
from norn_tasks.store.executions import CronRun
from norn_tasks.store.schedules_read import CronSchedule, Tick

_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound


def app_answer(settings: Settings, app: SeenApp) -> AppAnswer:
    """Answers how an app stands."""
    return AppAnswer(**app_members(settings, app))


def app_members(settings: Settings, app: SeenApp) -> dict[str, Any]:
    """Answers the members of an app's answer."""
    known, spec, live = app.known, app.known.spec, app.live
    return {
        "name": app.name,
        "role": app.role,
        "state": app.state,
        "source": known.app.source if known.app else "none",
        "origin": _origin(app),
        "directory": str(known.directory) if known.directory else None,
        "upload": known.app.upload if known.app and known.app.source == "upload" else None,
        "core": spec.core if spec else False,
        "forge": forge_told(app),
        "ready": app.ready,
        "wanted": app.wanted,
        "replicas_override": _override(app),
        "release": live.release if live else None,
        "revision": live.revision if live else None,
        "live": _live(app),
        "last_deployment": DeploymentAnswer.model_validate(app.last_deployment) if app.last_deployment else None,
        "url": _url(settings, app),
        "external": NOT_ROUTED if spec and spec.hosts.external else None,
        "schedule": schedule_answer(app) if app.role is Role.CRON else None,
        "alerts": [AlertTold.model_validate(alert) for alert in app.alerts],
        "notices": list(_notices(app)),
        "mistakes": [MistakeAnswer.model_validate(mistake) for mistake in known.mistakes],
        "seen_at": app.workload.seen_at if app.workload else None,
        "message": app.workload.message if app.workload else "",
        "replicas": [ReplicaAnswer(**replica) for replica in app.workload.replicas] if app.workload else [],
        "running_job": JobTold(id=app.running_job[0], kind=app.running_job[1]) if app.running_job else None,
    }


def _origin(app: SeenApp) -> str | None:
    found = app.known.app
    if found is None:
        return None
    return found.spec.repo.url if found.source == "git" else found.origin


def forge_told(app: SeenApp) -> ForgeTold:
    """Answers how the app's infrastructure stands."""
    error = app.known.row["forge_error"] if app.known.row is not None else None
    return ForgeTold(state=app.forge_state, error=Why(**error) if error else None)


def _override(app: SeenApp) -> ReplicasTold | None:
    row = app.known.row
    if row is None or row["replicas_override"] is None:
        return None
    return ReplicasTold(replicas=row["replicas_override"], by=row["override_by"] or "", at=row["override_at"])


def _live(app: SeenApp) -> LiveTold | None:
    live = app.live
    if live is None:
        return None
    return LiveTold(deployment=live.id, release=live.release, revision=live.revision, at=live.ended_at)


def _url(settings: Settings, app: SeenApp) -> str | None:
    if app.role is Role.FUNCTION:
        return f"{request.url_root.rstrip('/')}/fn/{app.name}" if app.live else None
    if app.port is None:
        return None
    host = "127.0.0.1" if settings.router_host in _EVERYWHERE else settings.router_host
    return f"http://{f'[{host}]' if ':' in host else host}:{app.port}"


def _notices(app: SeenApp) -> tuple[str, ...]:
    if app.port_error is None:
        return app.known.notices
    return (*app.known.notices, f"the router cannot listen on port {app.port}: {app.port_error}")


# Schedules


def schedule_answer(app: SeenApp) -> ScheduleAnswer | None:
    """Answers a cron app's schedule, as registered, else as its spec says it."""
    spec, plan = app.known.spec, app.schedule
    if plan is None:
        if spec is None or spec.schedule is None:
            return None
        return ScheduleAnswer(
            text=spec.schedule, timezone=spec.timezone, next=None, state="none", override=None, paused=None,
            last=tick_answer(app.tick),
        )  # fmt: skip
    return ScheduleAnswer(
        text=plan.text,
        timezone=plan.zone,
        next=None if plan.paused_at or not _readable(plan) else plan.next_due,
        state=_schedule_state(plan, live=app.live is not None),
        override=_schedule_override(plan),
        paused=_pause(plan),
        last=tick_answer(app.tick),
    )


UNREADABLE = "cannot be read"
"""The state of a schedule that was accepted once and means nothing any more."""


def _readable(plan: CronSchedule) -> bool:
    try:
        parse_schedule(plan.text, plan.zone)
    except InvalidRequest:
        return False
    return True


def _schedule_state(plan: CronSchedule, *, live: bool) -> str:
    if not live:
        return "waiting for its first deploy"
    if not _readable(plan):
        return UNREADABLE
    if plan.next_due is None:
        return "off: its infraspec says deploy: false"
    return "paused" if plan.paused_at else "scheduled"


def _schedule_override(plan: CronSchedule) -> ScheduleOverride | None:
    if plan.override_schedule is None:
        return None
    return ScheduleOverride(schedule=plan.override_schedule, by=plan.override_by or "", at=plan.override_at)


def _pause(plan: CronSchedule) -> Pause | None:
    if plan.paused_at is None:
        return None
    return Pause(by=plan.paused_by or "", at=plan.paused_at, reason=plan.paused_reason or "")


def tick_answer(tick: Tick | None) -> TickAnswer | None:
    """Answers a tick, where there is one."""
    return TickAnswer.model_validate(tick) if tick else None


def run_told(run: CronRun) -> RunTold:
    """Answers a cron run in one line, with the first line of what went wrong."""
    lines = run.stderr.strip().splitlines() if run.state != "succeeded" else []
    return RunTold(
        id=run.id, state=run.state, exit_code=run.exit_code, trigger=run.trigger, verdict=run.verdict,
        attempt=run.attempt, begun_at=run.begun_at, scheduled_for=run.scheduled_for,
        created_at=run.created_at, duration_ms=run.duration_ms, first_error_line=lines[0][:300] if lines else "",
        sentence=run.sentence, hint=run.hint,
    )  # fmt: skip
