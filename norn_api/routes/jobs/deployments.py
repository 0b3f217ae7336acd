"""Deployments (attempts to make a release live), and the releases of an app."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.common import AppPath, ListOf, ListQuery
from norn_api.schemas.jobs import DeploymentPath, DeploymentResponse, DeploymentsQuery, ReleaseResponse
from norn_api.services import actor, hide_from_others, norn, require_visible
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import listed, reply
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.releases import deployments_read
from norn_tasks.store.status import apps

api = noun("deployments", "Deployments and releases")


@api.get("/api/deployments", responses=responses_of(ListOf[DeploymentResponse]))
def list_deployments(query: DeploymentsQuery) -> Response:
    """Lists deployments, newest first."""
    app = None if query.app is None else require_visible(query.app)
    with norn().database.transaction() as tx:
        page = deployments_read.listed(
            tx, app=app, state=query.state, reach=actor().apps, cut=Cut(query.limit, query.after)
        )
    return listed(DeploymentResponse, page)


@api.get("/api/deployments/<id:deployment>", responses=responses_of(DeploymentResponse))
def get_deployment(path: DeploymentPath) -> Response:
    """Returns a deployment."""
    with norn().database.transaction() as tx:
        found = deployments_read.get(tx, path.deployment)
    hide_from_others(found.app, deployments_read.absent(path.deployment))
    return reply(DeploymentResponse.model_validate(found))


@api.get("/api/apps/<app>/deployments", responses=responses_of(ListOf[DeploymentResponse]))
def list_app_deployments(path: AppPath, query: ListQuery) -> Response:
    """Lists an app's deployments, newest first."""
    with norn().database.transaction() as tx:
        apps.record(tx, norn().settings.apps_dir, path.app)
        page = deployments_read.listed(tx, app=path.app, cut=Cut(query.limit, query.after))
    return listed(DeploymentResponse, page)


@api.get("/api/apps/<app>/releases", responses=responses_of(ListOf[ReleaseResponse]))
def list_releases(path: AppPath, query: ListQuery) -> Response:
    """Lists an app's releases, newest first."""
    return _releases(path.app, query)


@api.get("/api/apps/<app>/artifacts", responses=responses_of(ListOf[ReleaseResponse]))
def list_artifacts(path: AppPath, query: ListQuery) -> Response:
    """Lists an app's releases with their images; does the same as `/releases`."""
    return _releases(path.app, query)


def _releases(app: str, query: ListQuery) -> Response:
    with norn().database.transaction() as tx:
        apps.record(tx, norn().settings.apps_dir, app)
        page = deployments_read.releases(tx, app, Cut(query.limit, query.after))
    return listed(ReleaseResponse, page)
