"""One-off commands in an app's image: running a command, and the records of past commands."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.common import AppPath, ListOf, ListQuery, WorkAccepted
from norn_api.schemas.oneoffs import OneOffPath, OneOffResponse, RunRequest, argv_of
from norn_api.services import actor, hide_from_others, norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import accepted, key, listed, reply
from norn_tasks import dispatch
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.jobs.requests import ClientTerminal
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.runs import runs_read
from norn_tasks.store.status import apps

api = noun("oneoffs", "One-off commands in an app's image")


@api.post("/api/apps/<app>/run", responses=responses_of(WorkAccepted, 202))
def run_command(path: AppPath, body: RunRequest) -> Response:
    """Runs a command once in the live release's image, with the app's environment; its job streams the output."""
    client = ClientTerminal(body.tty, body.term, body.size) if body.attached or body.tty else None
    work = dispatch.request_run(
        norn().intake, path.app, command=argv_of(body.command), timeout=body.timeout, actor=actor().name,
        client=client, key=key(),
    )  # fmt: skip
    return accepted(work, path.app, JobKind.RUN)


@api.get("/api/apps/<app>/runs", responses=responses_of(ListOf[OneOffResponse]))
def list_runs(path: AppPath, query: ListQuery) -> Response:
    """Lists an app's one-off commands, newest first."""
    with norn().database.transaction() as tx:
        apps.record(tx, norn().settings.apps_dir, path.app)
        page = runs_read.oneoffs(tx, path.app, Cut(query.limit, query.after))
    return listed(OneOffResponse, page)


@api.get("/api/runs/<id:run>", responses=responses_of(OneOffResponse))
def get_run(path: OneOffPath) -> Response:
    """Returns a one-off command with its output."""
    with norn().database.transaction() as tx:
        found = runs_read.oneoff(tx, path.run)
    hide_from_others(found.app, runs_read.absent_oneoff(path.run))
    return reply(OneOffResponse.model_validate(found))
