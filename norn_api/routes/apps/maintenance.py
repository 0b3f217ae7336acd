"""Maintenance of an app: its public name shows a page, while its replicas keep running."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.common import AppPath
from norn_api.schemas.maintenance import MaintenanceRequest
from norn_api.services import actor
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import nothing, once
from norn_tasks import dispatch
from norn_tasks.store.database.session import Tx

api = noun("maintenance", "A page instead of an app")


@api.put("/api/apps/<app>/maintenance", responses=responses_of(None, 204))
def begin(path: AppPath, body: MaintenanceRequest) -> Response:
    """Shows visitors of the app's public name a page, with 503; its replicas and its own address do not change."""
    by = actor().name

    def change(tx: Tx) -> int:
        dispatch.begin_maintenance(tx, path.app, body.message, body.page, actor=by)
        return 204

    once(change)
    return nothing()


@api.delete("/api/apps/<app>/maintenance", responses=responses_of(None, 204))
def end(path: AppPath) -> Response:
    """Shows visitors the app again."""
    by = actor().name

    def change(tx: Tx) -> int:
        dispatch.end_maintenance(tx, path.app, actor=by)
        return 204

    once(change)
    return nothing()
