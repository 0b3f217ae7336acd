"""Notifications: where alerts are sent, as signed webhooks; the sending is a worker's."""

from __future__ import annotations

from flask import Response

from norn_api.fields import app_names
from norn_api.openapi import answers, noun
from norn_api.replies import accepted, items, key, listed, nothing, once, reply
from norn_api.schemas.alerts import (
    DeliveryAnswer,
    DestinationAnswer,
    DestinationAsked,
    DestinationMade,
    DestinationPath,
)
from norn_api.schemas.common import ListOf, ListQuery, WorkAccepted
from norn_api.schemas.jobs import NothingAsked
from norn_api.services import actor, norn
from norn_tasks import dispatch
from norn_tasks.dispatch import WantedDestination, request_test
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.job import JobKind
from norn_tasks.domain.notification import outside_url
from norn_tasks.domain.secret import Secret
from norn_tasks.store import deliveries, destinations
from norn_tasks.store.reading import Cut
from norn_tasks.store.session import Tx

api = noun("notifications", "Where alerts are sent")


@api.get("/api/notifications", responses=answers(ListOf[DestinationAnswer]))
def list_destinations() -> Response:
    """Lists the destinations of notifications; their secrets are shown nowhere."""
    with norn().database.transaction() as tx:
        found = destinations.listed(tx)
    return items(DestinationAnswer, map(DestinationAnswer.model_validate, found))


@api.post("/api/notifications", responses=answers(DestinationMade, 201))
def add_destination(body: DestinationAsked) -> Response:
    """Sends alerts to one more address, and shows this once the secret that signs them."""
    url = outside_url(body.url, field="url", private=norn().settings.outgoing_private)
    apps = app_names(body.apps)
    kinds = None if body.kinds is None else tuple(str(kind) for kind in body.kinds)
    made: list[Secret] = []

    def create(tx: Tx) -> int:
        wanted = WantedDestination(body.name, url, apps, kinds)
        made.append(dispatch.add_destination(tx, wanted, actor=actor().name))
        return 201

    status = once(create)
    with norn().database.transaction() as tx:
        found = destinations.named(tx, body.name)
    if found is None:
        raise InvalidRequest("this Idempotency-Key made a destination that was removed since", hint="use a new key")
    told = DestinationAnswer.model_validate(found).model_dump()
    return reply(DestinationMade(**told, secret=made[0].reveal() if made else None), status)


@api.delete("/api/notifications/<name>", responses=answers(None, 204))
def remove_destination(path: DestinationPath) -> Response:
    """Sends nothing there any more, what waits to be sent included."""

    def remove(tx: Tx) -> int:
        destinations.remove(tx, path.name, actor().name)
        return 204

    once(remove)
    return nothing()


@api.post("/api/notifications/<name>/test", responses=answers(WorkAccepted, 202))
def test_destination(path: DestinationPath, body: NothingAsked) -> Response:
    """Sends a notification that says nothing but that it arrives; its job tells whether it was taken."""
    work = request_test(norn().intake, path.name, actor=actor().name, key=key())
    return accepted(work, "", JobKind.NOTIFY)


@api.get("/api/notifications/<name>/deliveries", responses=answers(ListOf[DeliveryAnswer]))
def list_deliveries(path: DestinationPath, query: ListQuery) -> Response:
    """Lists what a destination was sent, newest first, with what became of it."""
    with norn().database.transaction() as tx:
        page = deliveries.listed(tx, path.name, Cut(query.limit, query.after))
    return listed(DeliveryAnswer, page)
