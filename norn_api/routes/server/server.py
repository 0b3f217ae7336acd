"""The server itself: health, version, figures and metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST

from norn_api.schemas.server import CheckResponse, HealthResponse, QueueResponse, StatsResponse, VersionResponse
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of, text_response
from norn_api.web.replies import reply
from norn_api.web.senders import credentials
from norn_tasks.domain.access import Scope
from norn_tasks.domain.disk import Least, amount
from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.domain.wording import log_of
from norn_tasks.store.database.session import Tx
from norn_tasks.store.fleet import disk
from norn_tasks.store.status import apps, doctor, figures, health
from norn_tasks.store.status.health import CheckStatus, HealthCheck

SHOWN_TO_ALL = frozenset({"database", "broker", "beat"})
"""The checks whose sentences everybody may read, because they reveal nothing about the server."""
_START_POSTGRES = f"start PostgreSQL; {log_of('postgres')}"
api = noun("server", "The server itself")


def server_version() -> str:
    """Returns the version of the installed package."""
    try:
        return version("norn")
    except PackageNotFoundError:
        return "0+source"


@api.get("/api/health", responses=responses_of(HealthResponse, _503=HealthResponse))
def get_health() -> Response:
    """Returns the health of everything that Norn needs; 503 if the database is down.

    Most sentences are empty without a token for the whole server, because they name directories, hosts and apps.
    """
    return _reported(health.checks, None if _may_know_the_server() else SHOWN_TO_ALL)


def _may_know_the_server() -> bool:
    try:
        found = norn().authenticators.recognised(credentials())
    except DatabaseDown:
        return False
    return found is not None and found.actor.apps is None and found.actor.may(Scope.READ)


@api.get("/api/doctor", responses=responses_of(HealthResponse, _503=HealthResponse))
def get_doctor() -> Response:
    """Checks everything: health, disks, clocks, silent workers, the tunnel, schema, secrets, retention, backups.

    For a token that is limited to apps, some checks cover only its apps, and most sentences about the server are empty.
    """
    settings, reach = norn().settings, actor().apps
    least = Least(settings.disk_build_free, settings.disk_build_percent)
    return _reported(
        lambda tx: (*health.checks(tx), *doctor.checks(tx, least, settings.disk_accept_free, reach)),
        None if reach is None else SHOWN_TO_ALL | doctor.WITHIN_REACH,
    )


def _reported(look: Callable[[Tx], tuple[HealthCheck, ...]], in_full: frozenset[str] | None) -> Response:
    """Returns the checks of the database, the broker and this process's disk, and the checks that `look` makes from the
    database's rows.

    `in_full`: the checks whose sentences are shown; None for all.
    """
    checks, status = [_broker(), _disk()], "ok"
    try:
        with norn().database.transaction() as tx:
            checks = [HealthCheck("database", CheckStatus.OK, "the database answers"), *checks, *look(tx)]
    except DatabaseDown as error:
        checks = [HealthCheck("database", CheckStatus.FAIL, error.sentence, _START_POSTGRES), *checks]
        status = "down"
    if status == "ok" and any(check.status is not CheckStatus.OK for check in checks):
        status = "degraded"
    kept = [
        check if in_full is None or check.name in in_full else replace(check, message="", hint="") for check in checks
    ]
    shown = [CheckResponse.model_validate(check) for check in kept]
    report = HealthResponse(status=status, checks=shown, version=server_version())
    return reply(report, 503 if status == "down" else 200)


def _disk() -> HealthCheck:
    """Returns the check of the data directory's disk, which also holds an embedded database."""
    settings = norn().settings
    space = disk.here(settings.data_dir)
    if space.free < settings.disk_accept_free:
        least = amount(settings.disk_accept_free)
        return HealthCheck(
            "disk", CheckStatus.FAIL, f"{space.describe()}: nothing new is accepted below {least}", space.hint
        )
    if Least(settings.disk_build_free, settings.disk_build_percent).lacks(space):
        return HealthCheck("disk", CheckStatus.WARN, f"{space.describe()}: that is little", space.hint)
    return HealthCheck("disk", CheckStatus.OK, space.describe())


def _broker() -> HealthCheck:
    if norn().live.answers():
        return HealthCheck("broker", CheckStatus.OK, "the broker answers")
    hint = f"start it; {log_of('broker')}; accepted work is kept and resumes soon after"
    return HealthCheck("broker", CheckStatus.FAIL, "the broker does not answer", hint)


@api.get("/api/version", responses=responses_of(VersionResponse))
def get_version() -> Response:
    """Returns the version of this Norn."""
    limit = norn().settings.source_max
    return reply(VersionResponse(version=server_version(), commit=None, source_max=limit))


@api.get("/metrics", responses=text_response("Prometheus' text format, version 0.0.4"))
def get_metrics() -> Response:
    """Returns metrics for Prometheus. The HTTP metrics begin at zero when the API starts; all other metrics survive a
    restart.
    """
    response = Response(norn().figures.text(), content_type=CONTENT_TYPE_LATEST)
    response.headers["Cache-Control"] = "no-store"
    return response


@api.get("/api/stats", responses=responses_of(StatsResponse))
def get_stats() -> Response:
    """Counts apps, jobs, executions and waiting work."""
    with norn().database.transaction() as tx:
        counted = figures.figures(tx)
        chosen = apps.AppFilter(reach=actor().apps)
        seen = apps.seen(tx, apps.known(tx, norn().settings.apps_dir, chosen))
    states_of: dict[str, Counter[str]] = {}
    for app in seen:
        states_of.setdefault(str(app.role or "unknown"), Counter())[app.state] += 1
    return reply(
        StatsResponse(
            apps={role: dict(states) for role, states in states_of.items()},
            jobs=counted.jobs,
            cron_runs=counted.cron_runs,
            calls=counted.calls,
            queues={name: QueueResponse.model_validate(queue) for name, queue in counted.queues.items()},
        )
    )
