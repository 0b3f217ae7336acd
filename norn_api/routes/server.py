"""Health, version, figures: what the server tells of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST

from norn_api.openapi import answers, noun, text_answer
from norn_api.replies import reply
from norn_api.schemas.server import CheckAnswer, HealthAnswer, QueueAnswer, StatsAnswer, VersionAnswer
from norn_api.services import actor, norn
from norn_tasks.domain.disk import Least, amount
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.processes import log_of
from norn_tasks.store import apps_read, disk, doctor, health, stats
from norn_tasks.store.health import Check, CheckStatus
from norn_tasks.store.session import Tx

_START_POSTGRES = f"start PostgreSQL; {log_of('postgres')}"
api = noun("server", "The server itself")


def server_version() -> str:
    """Answers the version of the installed package."""
    try:
        return version("norn")
    except PackageNotFoundError:
        return "0+source"


@api.get("/api/health", responses=answers(HealthAnswer, _503=HealthAnswer))
def get_health() -> Response:
    """Tells whether everything that Norn needs is there; 503 when the database is not."""
    return _told(health.checks)


@api.get("/api/doctor", responses=answers(HealthAnswer, _503=HealthAnswer))
def get_doctor() -> Response:
    """Looks everything over: health, and disks, clocks, silent workers, schema, secrets, retention, backups."""
    settings, reach = norn().settings, actor().apps
    least = Least(settings.disk_build_free, settings.disk_build_percent)
    return _told(lambda tx: (*health.checks(tx), *doctor.checks(tx, least, settings.disk_accept_free, reach)))


def _told(look: Callable[[Tx], tuple[Check, ...]]) -> Response:
    """Answers checks of the database's rows with those of the stores themselves and of this process's disk."""
    checks, status = [_broker(), _disk()], "ok"
    try:
        with norn().database.transaction() as tx:
            checks = [Check("database", CheckStatus.OK, "the database answers"), *checks, *look(tx)]
    except DatabaseDown as error:
        checks = [Check("database", CheckStatus.FAIL, error.sentence, _START_POSTGRES), *checks]
        status = "down"
    if status == "ok" and any(check.status is not CheckStatus.OK for check in checks):
        status = "degraded"
    told = [CheckAnswer.model_validate(check) for check in checks]
    return reply(HealthAnswer(status=status, checks=told, version=server_version()), 503 if status == "down" else 200)


def _disk() -> Check:
    """The disk of the data directory, where an embedded database is too."""
    settings = norn().settings
    space = disk.here(settings.data_dir)
    if space.free < settings.disk_accept_free:
        least = amount(settings.disk_accept_free)
        return Check("disk", CheckStatus.FAIL, f"{space.told()}: nothing new is accepted below {least}", space.hint)
    if Least(settings.disk_build_free, settings.disk_build_percent).lacks(space):
        return Check("disk", CheckStatus.WARN, f"{space.told()}: that is little", space.hint)
    return Check("disk", CheckStatus.OK, space.told())


def _broker() -> Check:
    if norn().live.answers():
        return Check("broker", CheckStatus.OK, "the broker answers")
    hint = f"start it; {log_of('broker')}; accepted work is kept meanwhile and taken up soon after"
    return Check("broker", CheckStatus.FAIL, "the broker does not answer", hint)


@api.get("/api/version", responses=answers(VersionAnswer))
def get_version() -> Response:
    """Tells which Norn this is."""
    limit = norn().settings.source_max
    return reply(VersionAnswer(version=server_version(), commit=None, source_max=limit))


@api.get("/metrics", responses=text_answer("Prometheus' text format, version 0.0.4"))
def get_metrics() -> Response:
    """Tells the figures to Prometheus: counted from the ledger, so that a restart loses none; HTTP since the start."""
    response = Response(norn().figures.text(), content_type=CONTENT_TYPE_LATEST)
    response.headers["Cache-Control"] = "no-store"
    return response


@api.get("/api/stats", responses=answers(StatsAnswer))
def get_stats() -> Response:
    """Counts apps, jobs, executions and what waits."""
    with norn().database.transaction() as tx:
        figures = stats.figures(tx)
        chosen = apps_read.Chosen(reach=actor().apps)
        seen = apps_read.seen(tx, apps_read.known(tx, norn().settings.apps_dir, chosen))
    apps: dict[str, Counter[str]] = {}
    for app in seen:
        apps.setdefault(str(app.role or "unknown"), Counter())[app.state] += 1
    return reply(
        StatsAnswer(
            apps={role: dict(states) for role, states in apps.items()},
            jobs=figures.jobs,
            cron_runs=figures.cron_runs,
            calls=figures.calls,
            queues={name: QueueAnswer.model_validate(queue) for name, queue in figures.queues.items()},
        )
    )
