"""The audit: requested changes and refused attempts, with their senders. Of many refused attempts by one sender, only
some are recorded.
"""

from __future__ import annotations

from flask import Response

from norn_api.schemas.common import ListOf
from norn_api.schemas.server import AuditEntryResponse, AuditQuery
from norn_api.services import norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import listed
from norn_tasks.store.access import audit
from norn_tasks.store.database.pages import Cut

api = noun("audit", "The record of changes and of refused attempts")


@api.get("/api/audit", responses=responses_of(ListOf[AuditEntryResponse]))
def list_deeds(query: AuditQuery) -> Response:
    """Lists requests for changes, accepted or refused, newest first."""
    with norn().database.transaction() as tx:
        page = audit.listed(tx, app=query.app, actor=query.actor, cut=Cut(query.limit, query.after))
    return listed(AuditEntryResponse, page)
