"""Destinations of notifications: a worker sends alerts to them, as signed webhooks or as messages for people."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.alerts import (
    DeliveryResponse,
    DestinationMade,
    DestinationPath,
    DestinationRequest,
    DestinationResponse,
)
from norn_api.schemas.common import ListOf, ListQuery, WorkAccepted
from norn_api.schemas.jobs import NothingRequest
from norn_api.services import actor, norn
from norn_api.web.fields import app_names
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import accepted, items, key, listed, nothing, once, reply
from norn_tasks import dispatch
from norn_tasks.dispatch import DestinationToAdd, request_test
from norn_tasks.domain.alerting.destination import address, format_of
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.secret import Secret
from norn_tasks.store.alerts import deliveries, destinations
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Tx

api = noun("notifications", "Destinations of alerts")


@api.get("/api/notifications", responses=responses_of(ListOf[DestinationResponse]))
def list_destinations() -> Response:
    """Lists the destinations of notifications; their secrets are never shown."""
    with norn().database.transaction() as tx:
        found = destinations.listed(tx)
    return items(DestinationResponse, map(DestinationResponse.model_validate, found))


@api.post("/api/notifications", responses=responses_of(DestinationMade, 201))
def add_destination(body: DestinationRequest) -> Response:
    """Adds a destination; only this response shows its secret, with which notifications of format `json` are signed."""
    url = address(body.url, field="url", private=norn().settings.outgoing_private)
    kind = format_of(url, body.format, field="format")
    apps = app_names(body.apps)
    kinds = None if body.kinds is None else tuple(str(kind) for kind in body.kinds)
    made: list[Secret] = []

    def create(tx: Tx) -> int:
        wanted = DestinationToAdd(body.name, url, apps, kinds, kind, body.severity)
        secret = dispatch.add_destination(tx, wanted, actor=actor().name)
        made.extend([] if secret is None else [secret])
        return 201

    status = once(create)
    with norn().database.transaction() as tx:
        found = destinations.named(tx, body.name)
    if found is None:
        raise InvalidRequest("this Idempotency-Key made a destination that was removed since", hint="use a new key")
    shown = DestinationResponse.model_validate(found).model_dump()
    return reply(DestinationMade(**shown, secret=made[0].reveal() if made else None), status)


@api.delete("/api/notifications/<name>", responses=responses_of(None, 204))
def remove_destination(path: DestinationPath) -> Response:
    """Removes a destination with its waiting deliveries."""

    def remove(tx: Tx) -> int:
        dispatch.remove_destination(tx, path.name, actor=actor().name)
        return 204

    once(remove)
    return nothing()


@api.post("/api/notifications/<name>/test", responses=responses_of(WorkAccepted, 202))
def test_destination(path: DestinationPath, body: NothingRequest) -> Response:
    """Sends a test notification; its job succeeds if the receiver accepted it."""
    work = request_test(norn().intake, path.name, actor=actor().name, key=key())
    return accepted(work, "", JobKind.NOTIFY)


@api.get("/api/notifications/<name>/deliveries", responses=responses_of(ListOf[DeliveryResponse]))
def list_deliveries(path: DestinationPath, query: ListQuery) -> Response:
    """Lists the deliveries of a destination with their results, newest first."""
    with norn().database.transaction() as tx:
        page = deliveries.listed(tx, path.name, Cut(query.limit, query.after))
    return listed(DeliveryResponse, page)
