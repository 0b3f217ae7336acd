"""Drift: the fields of a running app that somebody other than Norn has changed in its cluster."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.common import AppPath, WorkAccepted
from norn_api.schemas.jobs import NothingRequest
from norn_api.schemas.plans import DriftResponse, FieldDrift
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import accepted, reply
from norn_tasks import dispatch
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.store.replicas import drifts
from norn_tasks.store.status import apps

api = noun("drift", "The fields that others have changed in a cluster")


@api.get("/api/apps/<app>/drift", responses=responses_of(DriftResponse))
def get_drift(path: AppPath) -> Response:
    """Returns the last comparison of the running app with its live release; Norn compares nightly and on request."""
    with norn().database.transaction() as tx:
        apps.record(tx, norn().settings.apps_dir, path.app)
        last = drifts.of(tx, path.app)
    found = [FieldDrift.model_validate(each) for each in last.found] if last is not None else []
    return reply(DriftResponse(name=path.app, seen_at=last.seen_at if last else None, drifted=bool(found), found=found))


@api.post("/api/apps/<app>/drift", responses=responses_of(WorkAccepted, 202))
def compare(path: AppPath, body: NothingRequest) -> Response:
    """Compares the running app with its live release, and changes nothing."""
    work = dispatch.request_comparison(norn().intake, path.app, actor=actor().name)
    return accepted(work, path.app, JobKind.COMPARE)
