"""One-off commands in an app's image: running one, and what became of those before."""

from __future__ import annotations

from flask import Response

from norn_api.openapi import answers, noun
from norn_api.replies import accepted, key, listed, reply
from norn_api.schemas.common import AppPath, ListOf, ListQuery, WorkAccepted
from norn_api.schemas.oneoffs import OneOffAnswer, OneOffPath, RunAsked, argv_of
from norn_api.services import actor, norn, reach
from norn_tasks import dispatch
from norn_tasks.domain.job import JobKind
from norn_tasks.store import apps_read, executions
from norn_tasks.store.reading import Cut

api = noun("oneoffs", "One-off commands in an app's image")


@api.post("/api/apps/<app>/run", responses=answers(WorkAccepted, 202))
def run_command(path: AppPath, body: RunAsked) -> Response:
    """Runs a command once in the live release's image, with the app's environment; its job streams what it prints."""
    work = dispatch.request_run(
        norn().intake, path.app, command=argv_of(body.command), timeout=body.timeout, actor=actor().name, key=key()
    )
    return accepted(work, path.app, JobKind.RUN)


@api.get("/api/apps/<app>/runs", responses=answers(ListOf[OneOffAnswer]))
def list_runs(path: AppPath, query: ListQuery) -> Response:
    """Lists an app's one-off commands, newest first."""
    with norn().database.transaction() as tx:
        apps_read.one(tx, norn().settings.apps_dir, path.app)
        page = executions.oneoffs(tx, path.app, Cut(query.limit, query.after))
    return listed(OneOffAnswer, page)


@api.get("/api/runs/<id:run>", responses=answers(OneOffAnswer))
def get_run(path: OneOffPath) -> Response:
    """Tells how a one-off command went and what it printed."""
    with norn().database.transaction() as tx:
        found = executions.oneoff(tx, path.run)
    reach(found.app)
    return reply(OneOffAnswer.model_validate(found))
