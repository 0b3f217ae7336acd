"""Alerts: what is wrong with apps that somebody should know of."""

from __future__ import annotations

from flask import Response

from norn_api.openapi import answers, noun
from norn_api.replies import listed
from norn_api.schemas.alerts import AlertAnswer, AlertsQuery
from norn_api.schemas.common import ListOf
from norn_api.services import actor, norn
from norn_tasks.store import alerts
from norn_tasks.store.reading import Cut

api = noun("alerts", "What is wrong with apps that somebody should know of")


@api.get("/api/alerts", responses=answers(ListOf[AlertAnswer]))
def list_alerts(query: AlertsQuery) -> Response:
    """Lists open alerts, newest first; with `all` also those that are resolved."""
    with norn().database.transaction() as tx:
        page = alerts.listed(
            tx, app=query.app, kind=query.kind, also_resolved=query.all, reach=actor().apps,
            cut=Cut(query.limit, query.after),
        )  # fmt: skip
    return listed(AlertAnswer, page)
