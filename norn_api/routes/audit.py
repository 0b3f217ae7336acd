"""The audit: who did what."""

from __future__ import annotations

from flask import Response

from norn_api.openapi import answers, noun
from norn_api.replies import listed
from norn_api.schemas.common import ListOf
from norn_api.schemas.server import AuditQuery, DeedAnswer
from norn_api.services import norn
from norn_tasks.store import audit
from norn_tasks.store.reading import Cut

api = noun("audit", "Who did what")


@api.get("/api/audit", responses=answers(ListOf[DeedAnswer]))
def list_deeds(query: AuditQuery) -> Response:
    """Lists requests that change something, accepted or refused, newest first."""
    with norn().database.transaction() as tx:
        page = audit.listed(tx, app=query.app, actor=query.actor, cut=Cut(query.limit, query.after))
    return listed(DeedAnswer, page)
