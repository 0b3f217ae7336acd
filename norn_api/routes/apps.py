"""Apps: listing them, how one stands, applying a spec, forgetting one."""

from __future__ import annotations

import time

from flask import Response

from norn_api.openapi import answers, noun
from norn_api.replies import items, nothing, once, reply
from norn_api.routes.specs import SPEC_BODY, named, read_spec
from norn_api.schemas.apps import AppAnswer, AppDetail, AppQuery, AppsQuery
from norn_api.schemas.common import AppPath, ListOf
from norn_api.schemas.functions import CallAnswer
from norn_api.services import actor, norn
from norn_api.statuses import app_answer, app_members, run_told
from norn_tasks.dispatch import request_look
from norn_tasks.domain.errors import SpecInvalid
from norn_tasks.domain.infraspec import FILE_NAME, Role, parse
from norn_tasks.domain.names import app_name
from norn_tasks.store import apps, apps_read, executions, jobs_read
from norn_tasks.store.apps_read import Chosen, SeenApp
from norn_tasks.store.reading import Cut
from norn_tasks.store.session import Tx

LOOK_SECONDS = 3.0
RECENT = Cut(limit=5)
api = noun("apps", "Apps and how they stand")


@api.get("/api/apps", responses=answers(ListOf[AppAnswer]))
def list_apps(query: AppsQuery) -> Response:
    """Lists apps by name with how each stands."""
    services = norn()
    chosen = Chosen(query.role, query.core, query.all, actor().apps)
    with services.database.transaction() as tx:
        known = apps_read.known(tx, services.settings.apps_dir, chosen)
        behind = [app for app in known if query.after is None or app.name > query.after]
        seen = apps_read.seen(tx, tuple(behind[: query.limit]))
    more = seen[-1].name if len(behind) > query.limit else None
    return items(AppAnswer, [app_answer(services.settings, app) for app in seen], more)


@api.get("/api/apps/<app>", responses=answers(AppDetail))
def get_app(path: AppPath, query: AppQuery) -> Response:
    """Tells how an app stands, with its spec and its last five runs or calls."""
    if query.fresh:
        _look()
    return reply(_detail(path.app))


def _look() -> None:
    """Has a worker look at the cluster, and waits for it a moment."""
    services = norn()
    job = request_look(services.intake, actor=actor().name).job
    end = time.monotonic() + LOOK_SECONDS
    while time.monotonic() < end and not services.closing.wait(0.1):
        with services.database.transaction() as tx:
            if jobs_read.get(tx, job).ended:
                return


def _detail(name: str) -> AppDetail:
    services = norn()
    with services.database.transaction() as tx:
        app = apps_read.one(tx, services.settings.apps_dir, name)
        recent = _recent(tx, app)
    spec = app.known.spec
    return AppDetail(
        **app_members(services.settings, app), spec=spec.to_json() if spec is not None else None, recent=recent
    )


def _recent(tx: Tx, app: SeenApp) -> list[object]:
    if app.role is Role.CRON:
        return [run_told(run) for run in executions.cron_runs(tx, app.name, RECENT).items]
    if app.role is Role.FUNCTION:
        return [CallAnswer.model_validate(call) for call in executions.calls(tx, app=app.name, cut=RECENT).items]
    return []


@api.put("/api/apps/<app>", responses=answers(AppDetail, _201=AppDetail), request_body=SPEC_BODY)
def apply_app(path: AppPath) -> Response:
    """Makes an infraspec the app's: 201 when the app is new, 200 when it was there."""
    name = app_name(path.app)
    spec = parse(read_spec(FILE_NAME), FILE_NAME)
    wrong = named(spec, name, FILE_NAME)
    if wrong:
        raise SpecInvalid(wrong)
    apps_dir, by = norn().settings.apps_dir, actor().name
    status = once(lambda tx: 201 if apps.apply(tx, apps_dir, spec, actor=by) else 200)
    return reply(_detail(name), status)


@api.delete("/api/apps/<app>", responses=answers(None, 204))
def delete_app(path: AppPath) -> Response:
    """Forgets an app that has nothing running; 409 while it has. One of a directory stays listed, as not forged."""

    def remove(tx: Tx) -> int:
        apps.remove(tx, norn().settings.apps_dir, path.app, actor=actor().name)
        return 204

    once(remove)
    return nothing()
