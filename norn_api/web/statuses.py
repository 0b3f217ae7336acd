"""Turns the store's view of an app into its response: its state, its history and its address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import request

from norn_api.access.function_host import url_of
from norn_api.schemas.alerts import AlertSummary
from norn_api.schemas.apps import (
    AppResponse,
    ForgeSummary,
    JobSummary,
    LiveSummary,
    ReplicasSummary,
    RunSummary,
)
from norn_api.schemas.common import MistakeResponse, Why
from norn_api.schemas.cron import Pause, ScheduleOverride, ScheduleResponse, TickResponse
from norn_api.schemas.jobs import DeploymentResponse
from norn_api.web.usages import replica_response, usage_sum
from norn_tasks.domain.cron.expression import parse_schedule
from norn_tasks.domain.cron.words import words
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.infraspec.words import Auth
from norn_tasks.domain.tunnel.external_host import RouteState
from norn_tasks.settings import Settings
from norn_tasks.store.cron.schedules_read import CronSchedule, TickView
from norn_tasks.store.runs.runs_read import CronRun
from norn_tasks.store.status.apps import AppView


def app_response(settings: Settings, app: AppView) -> AppResponse:
    """Returns the response for an app."""
    return AppResponse(**app_members(settings, app))


def app_members(settings: Settings, app: AppView) -> dict[str, Any]:
    """Returns the members of an app's response."""
    known, spec, live = app.known, app.known.spec, app.live
    replicas = [replica_response(each) for each in app.workload.replicas] if app.workload else []
    return {
        "name": app.name,
        "role": app.role,
        "state": app.state,
        "source": known.app.source if known.app else "none",
        "origin": _origin(app),
        "directory": str(known.directory) if known.directory else None,
        "upload": known.app.upload if known.app and known.app.source == "upload" else None,
        "core": spec.core if spec else False,
        "forge": forge_summary(app),
        "cluster": app.cluster,
        "ready": app.ready,
        "wanted": app.wanted,
        "replicas_override": _override(app),
        "release": live.release if live else None,
        "revision": live.revision if live else None,
        "live": _live(app),
        "last_deployment": DeploymentResponse.model_validate(app.last_deployment) if app.last_deployment else None,
        "url": _url(settings, app),
        "external": _external(settings, app),
        "update": app.update,
        "figures": app.figures if app.role is Role.FUNCTION else None,
        "schedule": schedule_response(app) if app.role is Role.CRON else None,
        "alerts": [AlertSummary.model_validate(alert) for alert in app.alerts],
        "notices": list(_notices(app)),
        "mistakes": [MistakeResponse.model_validate(mistake) for mistake in known.mistakes],
        "seen_at": app.workload.seen_at if app.workload else None,
        "message": app.workload.message if app.workload else "",
        "replicas": replicas,
        "usage": usage_sum([each.usage for each in replicas if each.usage is not None]),
        "running_job": JobSummary(id=app.running_job[0], kind=app.running_job[1]) if app.running_job else None,
    }


def _origin(app: AppView) -> str | None:
    found = app.known.app
    if found is None:
        return None
    named = {"git": found.spec.repo.url, "image": found.spec.image}
    return named.get(found.source, found.origin)


def forge_summary(app: AppView) -> ForgeSummary:
    """Returns the state of the app's infrastructure."""
    error = app.known.row["forge_error"] if app.known.row is not None else None
    return ForgeSummary(state=app.forge_state, error=Why(**error) if error else None)


def _override(app: AppView) -> ReplicasSummary | None:
    row = app.known.row
    if row is None or row["replicas_override"] is None:
        return None
    return ReplicasSummary(replicas=row["replicas_override"], by=row["override_by"] or "", at=row["override_at"])


def _live(app: AppView) -> LiveSummary | None:
    live = app.live
    if live is None:
        return None
    return LiveSummary(deployment=live.id, release=live.release, revision=live.revision, at=live.ended_at)


def _url(settings: Settings, app: AppView) -> str | None:
    if app.role is Role.FUNCTION:
        return url_of(app.name, request.url_root, settings.fn_host) if app.live else None
    if app.port is None:
        return app.address
    return f"{settings.router_address}:{app.port}"


def _external(settings: Settings, app: AppView) -> str | None:
    """Returns the app's public name and whether it is routed, and if not, why."""
    host = app.known.spec.hosts.external if app.known.spec is not None else None
    seen = app.external
    if seen is None:
        return f"{host}: {_never_routed(settings, app)}" if host is not None else None
    reason = seen.reason or ("" if seen.state is RouteState.ROUTED else f"norn forge {app.name} routes it")
    if host != seen.host:
        state, reason = RouteState.DRIFTED, f"the infraspec says {host or 'no name'}; norn forge {app.name} moves it"
        return f"{seen.host}: {state}: {reason}"
    if seen.certificate is not None and seen.state is RouteState.ROUTED:
        return f"https://{host} ({seen.certificate.note})" + (f"; {reason}" if reason else "")
    return f"{host}: {seen.state}" + (f": {reason}" if reason else "")


def _never_routed(settings: Settings, app: AppView) -> str:
    if settings.has_tunnel or settings.has_edge:
        return f"not routed: norn forge {app.name} routes it"
    return "not routed: there is neither an edge (docs/edge.md) nor a tunnel (docs/tunnel.md)"


def _notices(app: AppView) -> Iterator[str]:
    yield from app.known.notices
    if app.maintenance is not None:
        yield f"{app.maintenance.note} (norn maintenance {app.name} off)"
    if app.live is not None and app.known.spec is not None and app.known.spec.function.auth is Auth.NONE:
        yield "function.auth is none: anyone may call it without a token"
    if app.port_error is not None:
        yield f"the router cannot listen on port {app.port}: {app.port_error}"
    branch = app.known.spec.repo.branch if app.known.spec is not None else ""
    if app.update is not None:
        yield f"update available: {branch} is at {app.update[:12]}; norn deploy {app.name}"
    if app.newest is not None and app.newest.error:
        yield f"the newest commit of {branch} is not known: {app.newest.error}"
    if app.live is not None and app.live.schema_ahead is not None:
        ahead, live = app.live.schema_ahead, app.live.release
        yield f"schema ahead: release {ahead} has migrated the database, and release {live} is live"


# Schedules


def schedule_response(app: AppView) -> ScheduleResponse | None:
    """Returns the registered schedule of a cron app; if there is none, the schedule of its spec."""
    spec, plan = app.known.spec, app.schedule
    if plan is None:
        if spec is None or spec.schedule is None:
            return None
        return ScheduleResponse(
            text=spec.schedule, words=_words(spec.schedule, spec.timezone), timezone=spec.timezone, next=None,
            state=NOT_FORGED, override=None, paused=None, last=tick_response(app.tick),
        )  # fmt: skip
    return ScheduleResponse(
        text=plan.text,
        words=_words(plan.text, plan.zone),
        timezone=plan.zone,
        next=None if plan.paused_at or not _readable(plan) else plan.next_due,
        state=_schedule_state(plan, live=app.live is not None),
        override=_schedule_override(plan),
        paused=_pause(plan),
        last=tick_response(app.tick),
    )


NOT_FORGED = "not forged"
"""The state of a schedule that is in the infraspec, but is not registered."""
UNREADABLE = "cannot be read"
"""The state of a schedule that was accepted once but can no longer be read."""


def _readable(plan: CronSchedule) -> bool:
    return bool(_words(plan.text, plan.zone))


def _words(schedule: str, timezone: str) -> str:
    """Returns a schedule in words; empty if it cannot be read."""
    try:
        return words(parse_schedule(schedule, timezone))
    except InvalidRequest:
        return ""


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


def tick_response(tick: TickView | None) -> TickResponse | None:
    """Returns a tick's response, if there is a tick."""
    return TickResponse.model_validate(tick) if tick else None


def run_summary(run: CronRun) -> RunSummary:
    """Returns the summary of a cron run, with the first line of its error."""
    lines = run.stderr.strip().splitlines() if run.state != "succeeded" else []
    return RunSummary(
        id=run.id, state=run.state, exit_code=run.exit_code, trigger=run.trigger, verdict=run.verdict,
        attempt=run.attempt, begun_at=run.begun_at, scheduled_for=run.scheduled_for,
        created_at=run.created_at, duration_ms=run.duration_ms, first_error_line=lines[0][:300] if lines else "",
        sentence=run.sentence, hint=run.hint,
    )  # fmt: skip
