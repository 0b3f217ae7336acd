"""Webhooks of repositories, to which GitHub, Gitea and GitLab report pushes."""

from __future__ import annotations

from itertools import groupby

from flask import Response, request

from norn_api.schemas.common import ListOf, ListQuery
from norn_api.schemas.jobs import NothingRequest
from norn_api.schemas.webhooks import (
    PushAnswer,
    PushDeliveryResponse,
    PushQuery,
    PushResultResponse,
    WebhookMade,
    WebhookPath,
    WebhookRequest,
    WebhookResponse,
)
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of, text_body
from norn_api.web.replies import items, nothing, once, reply
from norn_api.web.request import current
from norn_tasks import dispatch
from norn_tasks.dispatch import ReceivedDelivery
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.pushes.push import delivery_id, event_name, read_event
from norn_tasks.domain.pushes.repository import repository_of
from norn_tasks.domain.secret import Secret
from norn_tasks.store.apps import pushes, webhooks
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Tx

api = noun("webhooks", "Webhooks of repositories")
_BODY = text_body("The delivery, as its sender signed it", "application/json", "application/x-www-form-urlencoded")


@api.post("/api/webhooks/push", responses=responses_of(PushAnswer, 202, _200=PushAnswer), request_body=_BODY)
def receive_push(query: PushQuery) -> Response:
    """Accepts a signed delivery: returns 202 if it starts jobs, else 200."""
    body = current().read_body(norn().settings.webhook_max)
    name = event_name(request.headers)
    event = read_event(name, request.mimetype, body)
    received = ReceivedDelivery(int(query.hook), delivery_id(request.headers), body, event)
    taken = dispatch.receive(norn().intake, received)
    return reply(PushAnswer(outcome=taken.outcome, jobs=dict(taken.jobs)), 202 if taken.jobs else 200)


@api.get("/api/webhooks", responses=responses_of(ListOf[WebhookResponse]))
def list_webhooks() -> Response:
    """Lists the webhooks, without their secrets."""
    with norn().database.transaction() as tx:
        found = webhooks.listed(tx)
    return items(WebhookResponse, map(WebhookResponse.model_validate, found))


@api.post("/api/webhooks", responses=responses_of(WebhookMade, 201))
def create_webhook(body: WebhookRequest) -> Response:
    """Makes the webhook of a repository; only this response shows its secret."""
    made: list[Secret] = []

    def create(tx: Tx) -> int:
        made.append(dispatch.create_webhook(tx, norn().api_key, body.url, actor=actor().name)[1])
        return 201

    status = once(create)
    wanted = repository_of(body.url)
    with norn().database.transaction() as tx:
        found = next((each for each in webhooks.listed(tx) if each.repository == wanted), None)
    if found is None:
        raise InvalidRequest("this Idempotency-Key made a webhook that was removed since", hint="use a new key")
    return reply(_made(found, made), status)


@api.post("/api/webhooks/<id:webhook>/rotate", responses=responses_of(WebhookMade))
def rotate_webhook(path: WebhookPath, body: NothingRequest) -> Response:
    """Gives a webhook a new secret, which only this response shows; the earlier one is no longer valid."""
    made: list[Secret] = []

    def rotate(tx: Tx) -> int:
        made.append(dispatch.rotate_webhook(tx, norn().api_key, path.webhook))
        return 200

    status = once(rotate)
    with norn().database.transaction() as tx:
        found = webhooks.one(tx, path.webhook)
    return reply(_made(found, made), status)


@api.delete("/api/webhooks/<id:webhook>", responses=responses_of(None, 204))
def remove_webhook(path: WebhookPath) -> Response:
    """Removes a webhook with its deliveries; its address answers 401 from now on."""

    def remove(tx: Tx) -> int:
        dispatch.remove_webhook(tx, path.webhook)
        return 204

    once(remove)
    return nothing()


@api.get("/api/webhooks/<id:webhook>/deliveries", responses=responses_of(ListOf[PushDeliveryResponse]))
def list_push_deliveries(path: WebhookPath, query: ListQuery) -> Response:
    """Lists the signed deliveries of a webhook with their results, newest first."""
    with norn().database.transaction() as tx:
        webhooks.one(tx, path.webhook)
        page = pushes.listed(tx, path.webhook, Cut(query.limit, query.after))
        found = pushes.results(tx, [each.id for each in page.items])
    results = {id: list(group) for id, group in groupby(found, lambda each: each.delivery)}
    shown = [
        PushDeliveryResponse(
            **{name: getattr(each, name) for name in PushDeliveryResponse.model_fields if name != "results"},
            results=[PushResultResponse.model_validate(result) for result in results.get(each.id, [])],
        )
        for each in page.items
    ]
    return items(PushDeliveryResponse, shown, None if page.next is None else str(page.next))


def _made(found: webhooks.Webhook, made: list[Secret]) -> WebhookMade:
    shown = WebhookResponse.model_validate(found).model_dump()
    address = f"{request.url_root.rstrip('/')}/api/webhooks/push?hook={found.id}"
    return WebhookMade(**shown, address=address, secret=made[0].reveal() if made else None)
