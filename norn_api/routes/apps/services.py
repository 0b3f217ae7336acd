"""Shared services: the databases, namespaces and topics of apps, and new passwords for them."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Response

from norn_api.schemas.common import AppPath, ListOf, WorkAccepted
from norn_api.schemas.jobs import NothingRequest
from norn_api.schemas.services import ServicePartResponse
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import accepted, items, key
from norn_tasks import dispatch
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.services import GrantedPart
from norn_tasks.store.apps import services
from norn_tasks.store.status import apps

api = noun("services", "Databases, keys and topics that apps were given")
LISTED = responses_of(ListOf[ServicePartResponse])


@api.get("/api/services", responses=LISTED)
def list_services() -> Response:
    """Lists the shared services of all apps, including services that an infraspec no longer names."""
    with norn().database.transaction() as tx:
        found = services.listed(tx, actor().apps)
    return _listed(found)


@api.get("/api/apps/<app>/services", responses=LISTED)
def list_services_of_app(path: AppPath) -> Response:
    """Lists the shared services of an app."""
    with norn().database.transaction() as tx:
        apps.record(tx, norn().settings.apps_dir, path.app)
        found = services.of_app(tx, path.app)
    return _listed(found)


@api.post("/api/apps/<app>/services/rotate", responses=responses_of(WorkAccepted, 202))
def rotate(path: AppPath, body: NothingRequest) -> Response:
    """Gives an app new passwords for its services, and restarts its replicas so that they get them."""
    work = dispatch.request_rotation(norn().intake, path.app, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.RESTART)


def _listed(found: Iterable[GrantedPart]) -> Response:
    return items(ServicePartResponse, [_response(each) for each in found])


def _response(part: GrantedPart) -> ServicePartResponse:
    return ServicePartResponse(
        app=part.app,
        kind=part.kind,
        name=part.name,
        variable=part.kind.variable,
        since=part.since,
        made=part.made,
        named=part.named,
    )
