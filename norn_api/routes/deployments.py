"""Deployments and releases: what was tried, what is live, what can be gone back to."""

from __future__ import annotations

from flask import Response

from norn_api.openapi import answers, noun
from norn_api.replies import listed, reply
from norn_api.schemas.common import AppPath, ListOf, ListQuery
from norn_api.schemas.jobs import DeploymentAnswer, DeploymentPath, DeploymentsQuery, ReleaseAnswer
from norn_api.services import actor, norn, reach
from norn_tasks.store import apps_read, deployments
from norn_tasks.store.reading import Cut

api = noun("deployments", "Deployments and releases")


@api.get("/api/deployments", responses=answers(ListOf[DeploymentAnswer]))
def list_deployments(query: DeploymentsQuery) -> Response:
    """Lists deployments, newest first."""
    app = None if query.app is None else reach(query.app)
    with norn().database.transaction() as tx:
        page = deployments.listed(tx, app=app, state=query.state, reach=actor().apps, cut=Cut(query.limit, query.after))
    return listed(DeploymentAnswer, page)


@api.get("/api/deployments/<id:deployment>", responses=answers(DeploymentAnswer))
def get_deployment(path: DeploymentPath) -> Response:
    """Tells how a deployment went."""
    with norn().database.transaction() as tx:
        found = deployments.get(tx, path.deployment)
    reach(found.app)
    return reply(DeploymentAnswer.model_validate(found))


@api.get("/api/apps/<app>/deployments", responses=answers(ListOf[DeploymentAnswer]))
def list_app_deployments(path: AppPath, query: ListQuery) -> Response:
    """Lists an app's deployments, newest first."""
    with norn().database.transaction() as tx:
        apps_read.one(tx, norn().settings.apps_dir, path.app)
        page = deployments.listed(tx, app=path.app, cut=Cut(query.limit, query.after))
    return listed(DeploymentAnswer, page)


@api.get("/api/apps/<app>/releases", responses=answers(ListOf[ReleaseAnswer]))
def list_releases(path: AppPath, query: ListQuery) -> Response:
    """Lists an app's releases, newest first."""
    return _releases(path.app, query)


@api.get("/api/apps/<app>/artifacts", responses=answers(ListOf[ReleaseAnswer]))
def list_artifacts(path: AppPath, query: ListQuery) -> Response:
    """Lists what is kept of an app's releases: the releases, with their images."""
    return _releases(path.app, query)


def _releases(app: str, query: ListQuery) -> Response:
    with norn().database.transaction() as tx:
        apps_read.one(tx, norn().settings.apps_dir, app)
        page = deployments.releases(tx, app, Cut(query.limit, query.after))
    return listed(ReleaseAnswer, page)
