"""Alerts: conditions of apps or of the server that need attention."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.alerts import AlertResponse, AlertsQuery
from norn_api.schemas.common import ListOf
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import listed
from norn_tasks.store.alerts import alerts
from norn_tasks.store.database.pages import Cut

api = noun("alerts", "Conditions of apps that need attention")


@api.get("/api/alerts", responses=responses_of(ListOf[AlertResponse]))
def list_alerts(query: AlertsQuery) -> Response:
    """Lists open alerts, newest first; with `all` also resolved ones."""
    with norn().database.transaction() as tx:
        page = alerts.listed(
            tx, app=query.app, kind=query.kind, also_resolved=query.all, reach=actor().apps,
            cut=Cut(query.limit, query.after),
        )  # fmt: skip
    return listed(AlertResponse, page)
