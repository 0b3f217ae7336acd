"""Work on an app that becomes a job: forge, deploy, rollback, restart, scale, teardown."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.common import AppPath, Why, WorkAccepted
from norn_api.schemas.jobs import (
    DeployRequest,
    ForgeRequest,
    ForgeResponse,
    RestartRequest,
    RollbackRequest,
    ScaleRequest,
    TeardownRequest,
)
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import accepted, key, reply
from norn_tasks import dispatch
from norn_tasks.domain.access import Scope
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.store.status import apps

api = noun("work", "Work on an app: each request returns 202 with its job")
ACCEPTED = responses_of(WorkAccepted, 202)


@api.post("/api/apps/<app>/forge", responses=ACCEPTED)
def forge(path: AppPath, body: ForgeRequest) -> Response:
    """Makes the app's infrastructure, updates it to the spec, or moves the app to Kubernetes."""
    work = dispatch.request_forge(
        norn().intake,
        path.app,
        force=body.force,
        cluster=body.cluster,
        actor=actor().name,
        admin=_is_admin(),
        key=key(),
    )
    return accepted(work, path.app, JobKind.FORGE)


def _is_admin() -> bool:
    return actor().may(Scope.ADMIN)


@api.get("/api/apps/<app>/forge", responses=responses_of(ForgeResponse))
def get_forge(path: AppPath) -> Response:
    """Returns the state of the app's infrastructure."""
    return _forge_state(path.app)


@api.get("/api/apps/<app>/forge-state", responses=responses_of(ForgeResponse))
def get_forge_state(path: AppPath) -> Response:
    """Returns the state of the app's infrastructure; does the same as `/forge`."""
    return _forge_state(path.app)


def _forge_state(name: str) -> Response:
    with norn().database.transaction() as tx:
        app = apps.one(tx, norn().settings.apps_dir, name)
    error = app.known.row["forge_error"] if app.known.row is not None else None
    changing = app.running_job is not None and app.running_job[1] in (JobKind.FORGE, JobKind.TEARDOWN)
    job = app.running_job[0] if app.running_job is not None and changing else None
    return reply(ForgeResponse(state=app.forge_state, error=Why(**error) if error else None, job=job))


@api.delete("/api/apps/<app>/forge", responses=ACCEPTED)
def delete_forge(path: AppPath) -> Response:
    """Removes what forge made; does the same as `/teardown` without `purge`."""
    work = dispatch.request_teardown(norn().intake, path.app, purge=False, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.TEARDOWN)


@api.post("/api/apps/<app>/teardown", responses=ACCEPTED)
def teardown(path: AppPath, body: TeardownRequest) -> Response:
    """Removes what forge made; volumes, databases, keys and topics are kept unless `purge` is true."""
    work = dispatch.request_teardown(norn().intake, path.app, purge=body.purge, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.TEARDOWN)


@api.post("/api/apps/<app>/deploy", responses=ACCEPTED)
def deploy(path: AppPath, body: DeployRequest) -> Response:
    """Builds a new release from the app's source and makes it live."""
    work = dispatch.request_deploy(
        norn().intake, path.app, ref=body.ref, revision=body.source, actor=actor().name, admin=_is_admin(), key=key()
    )
    return accepted(work, path.app, JobKind.DEPLOY)


@api.post("/api/apps/<app>/rollback", responses=ACCEPTED)
def rollback(path: AppPath, body: RollbackRequest) -> Response:
    """Makes an earlier release live again, without a build."""
    work = dispatch.request_rollback(
        norn().intake, path.app, release=body.release, actor=actor().name, admin=_is_admin(), key=key()
    )
    return accepted(work, path.app, JobKind.ROLLBACK)


@api.post("/api/apps/<app>/restart", responses=ACCEPTED)
def restart(path: AppPath, body: RestartRequest) -> Response:
    """Replaces the live release's containers with new ones, one after the other."""
    work = dispatch.request_restart(norn().intake, path.app, now=body.now, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.RESTART)


@api.post("/api/apps/<app>/scale", responses=ACCEPTED)
def scale(path: AppPath, body: ScaleRequest) -> Response:
    """Overrides the spec's number of replicas until the override is reset or the spec's number changes."""
    if body.reset == (body.replicas is not None):
        raise InvalidRequest("replicas: give either replicas or reset", hint='send {"replicas": 3} or {"reset": true}')
    work = dispatch.request_scale(norn().intake, path.app, replicas=body.replicas, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.SCALE)
