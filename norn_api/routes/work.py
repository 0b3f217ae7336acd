"""Work on an app that becomes a job: forge, deploy, rollback, restart, scale, teardown."""

from __future__ import annotations

from flask import Response

from norn_api.openapi import answers, noun
from norn_api.replies import accepted, key, reply
from norn_api.schemas.common import AppPath, Why, WorkAccepted
from norn_api.schemas.jobs import (
    DeployAsked,
    ForgeAnswer,
    ForgeAsked,
    NothingAsked,
    RollbackAsked,
    ScaleAsked,
    TeardownAsked,
)
from norn_api.services import actor, norn
from norn_tasks import dispatch
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.job import JobKind
from norn_tasks.store import apps_read

api = noun("work", "Work on an app: each answers 202 with its job")
ACCEPTED = answers(WorkAccepted, 202)


@api.post("/api/apps/<app>/forge", responses=ACCEPTED)
def forge(path: AppPath, body: ForgeAsked) -> Response:
    """Makes the app's infrastructure, or brings it to the spec."""
    work = dispatch.request_forge(norn().intake, path.app, force=body.force, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.FORGE)


@api.get("/api/apps/<app>/forge", responses=answers(ForgeAnswer))
def get_forge(path: AppPath) -> Response:
    """Tells how the app's infrastructure stands."""
    return _forge_state(path.app)


@api.get("/api/apps/<app>/forge-state", responses=answers(ForgeAnswer))
def get_forge_state(path: AppPath) -> Response:
    """Tells how the app's infrastructure stands, at its other address."""
    return _forge_state(path.app)


def _forge_state(name: str) -> Response:
    with norn().database.transaction() as tx:
        app = apps_read.one(tx, norn().settings.apps_dir, name)
    error = app.known.row["forge_error"] if app.known.row is not None else None
    changing = app.running_job is not None and app.running_job[1] in (JobKind.FORGE, JobKind.TEARDOWN)
    job = app.running_job[0] if app.running_job is not None and changing else None
    return reply(ForgeAnswer(state=app.forge_state, error=Why(**error) if error else None, job=job))


@api.delete("/api/apps/<app>/forge", responses=ACCEPTED)
def delete_forge(path: AppPath) -> Response:
    """Removes what forge made, and keeps what teardown keeps."""
    work = dispatch.request_teardown(norn().intake, path.app, purge=False, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.TEARDOWN)


@api.post("/api/apps/<app>/teardown", responses=ACCEPTED)
def teardown(path: AppPath, body: TeardownAsked) -> Response:
    """Removes what forge made; with `purge`, also what a teardown keeps."""
    work = dispatch.request_teardown(norn().intake, path.app, purge=body.purge, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.TEARDOWN)


@api.post("/api/apps/<app>/deploy", responses=ACCEPTED)
def deploy(path: AppPath, body: DeployAsked) -> Response:
    """Makes a new release from the app's source and brings it live."""
    work = dispatch.request_deploy(
        norn().intake, path.app, ref=body.ref, revision=body.source, actor=actor().name, key=key()
    )
    return accepted(work, path.app, JobKind.DEPLOY)


@api.post("/api/apps/<app>/rollback", responses=ACCEPTED)
def rollback(path: AppPath, body: RollbackAsked) -> Response:
    """Brings an earlier release live again, without building."""
    work = dispatch.request_rollback(norn().intake, path.app, release=body.release, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.ROLLBACK)


@api.post("/api/apps/<app>/restart", responses=ACCEPTED)
def restart(path: AppPath, body: NothingAsked) -> Response:
    """Replaces the live release's containers by fresh ones, one after the other."""
    work = dispatch.request_restart(norn().intake, path.app, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.RESTART)


@api.post("/api/apps/<app>/scale", responses=ACCEPTED)
def scale(path: AppPath, body: ScaleAsked) -> Response:
    """Keeps so many replicas whatever the spec says, until reset."""
    if body.reset == (body.replicas is not None):
        raise InvalidRequest("replicas: give either replicas or reset", hint='send {"replicas": 3} or {"reset": true}')
    work = dispatch.request_scale(norn().intake, path.app, replicas=body.replicas, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.SCALE)
