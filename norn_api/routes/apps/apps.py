"""Apps: listing and reading them, applying a spec, and removing an app."""

from __future__ import annotations

import time

from flask import Response

from norn_api.routes.apps.specs import SPEC_BODY, named, parsed
from norn_api.schemas.apps import (
    AppDetail,
    AppQuery,
    AppResponse,
    AppsQuery,
    StateSpanListed,
    UptimeResponse,
)
from norn_api.schemas.common import AppPath, ListOf, ListQuery
from norn_api.schemas.functions import CallResponse
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import items, listed, nothing, once, reply
from norn_api.web.statuses import app_members, app_response, run_summary
from norn_tasks import dispatch
from norn_tasks.domain.errors import SpecInvalid
from norn_tasks.domain.infraspec import FILE_NAME, Role
from norn_tasks.domain.names import app_name
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import jobs_read
from norn_tasks.store.runs import runs_read
from norn_tasks.store.status import apps, uptime
from norn_tasks.store.status.apps import AppFilter, AppView

LOOK_SECONDS = 3.0
RECENT = Cut(limit=5)
api = noun("apps", "Apps and their state")


@api.get("/api/apps", responses=responses_of(ListOf[AppResponse]))
def list_apps(query: AppsQuery) -> Response:
    """Lists apps by name with their state."""
    services = norn()
    chosen = AppFilter(query.role, query.core, query.all, actor().apps)
    with services.database.transaction() as tx:
        known = apps.known(tx, services.settings.apps_dir, chosen)
        behind = [app for app in known if query.after is None or app.name > query.after]
        seen = apps.seen(tx, tuple(behind[: query.limit]))
    more = seen[-1].name if len(behind) > query.limit else None
    return items(AppResponse, [app_response(services.settings, app) for app in seen], more)


@api.get("/api/apps/<app>", responses=responses_of(AppDetail))
def get_app(path: AppPath, query: AppQuery) -> Response:
    """Returns an app's state, its spec, its uptime and its last five runs or calls."""
    if query.fresh:
        _observe(path.app)
    return reply(_detail(path.app))


@api.get("/api/apps/<app>/health-checks", responses=responses_of(ListOf[StateSpanListed]))
def list_health_checks(path: AppPath, query: ListQuery) -> Response:
    """Lists the states of a webserver or worker, derived from its health checks and replicas, newest first."""
    with norn().database.transaction() as tx:
        apps.record(tx, norn().settings.apps_dir, path.app)
        page = uptime.listed(tx, path.app, cut=Cut(query.limit, query.after))
    return listed(StateSpanListed, page)


def _observe(app: str) -> None:
    """Lets a worker observe the app's cluster, and waits at most three seconds until it has."""
    services = norn()
    job = dispatch.request_fresh_look(services.intake, app, actor=actor().name).job
    end = time.monotonic() + LOOK_SECONDS
    while time.monotonic() < end and not services.closing.wait(0.1):
        with services.database.transaction() as tx:
            if jobs_read.get(tx, job).ended:
                return


def _detail(name: str) -> AppDetail:
    services = norn()
    with services.database.transaction() as tx:
        app = apps.one(tx, services.settings.apps_dir, name)
        recent = _recent(tx, app)
        found = uptime.uptime_of(tx, name) if app.role is not None and app.role.long_running else None
    spec = app.known.spec
    return AppDetail(
        **app_members(services.settings, app),
        spec=spec.to_json() if spec is not None else None,
        uptime=UptimeResponse.model_validate(found) if found is not None else None,
        recent=recent,
    )


def _recent(tx: Tx, app: AppView) -> list[object]:
    if app.role is Role.CRON:
        return [run_summary(run) for run in runs_read.cron_runs(tx, app.name, RECENT).items]
    if app.role is Role.FUNCTION:
        return [CallResponse.model_validate(call) for call in runs_read.calls(tx, app=app.name, cut=RECENT).items]
    return []


@api.put("/api/apps/<app>", responses=responses_of(AppDetail, _201=AppDetail), request_body=SPEC_BODY)
def apply_app(path: AppPath) -> Response:
    """Sets an app's infraspec: 201 if the app is new, else 200."""
    name = app_name(path.app)
    spec = parsed(FILE_NAME)
    wrong = named(spec, name, FILE_NAME)
    if wrong:
        raise SpecInvalid(wrong)
    apps_dir, by = norn().settings.apps_dir, actor().name
    status = once(lambda tx: 201 if dispatch.apply_spec(tx, apps_dir, spec, actor=by) else 200)
    return reply(_detail(name), status)


@api.delete("/api/apps/<app>", responses=responses_of(None, 204))
def delete_app(path: AppPath) -> Response:
    """Removes an app; 409 while anything of it runs. An app with a directory in NORN_APPS_DIR stays listed, as not
    forged.
    """

    def remove(tx: Tx) -> int:
        dispatch.remove_app(tx, norn().settings.apps_dir, path.app, actor=actor().name)
        return 204

    once(remove)
    return nothing()
