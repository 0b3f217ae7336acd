"""Tokens: who may come in, and how far."""

from __future__ import annotations

from flask import Response

from norn_api.fields import app_names
from norn_api.openapi import answers, noun
from norn_api.replies import items, nothing, once, reply
from norn_api.schemas.common import ListOf
from norn_api.schemas.server import TokenAnswer, TokenAsked, TokenMade, TokenPath
from norn_api.services import actor, norn
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.store import tokens
from norn_tasks.store.session import Tx

api = noun("tokens", "API tokens")


@api.get("/api/tokens", responses=answers(ListOf[TokenAnswer]))
def list_tokens() -> Response:
    """Lists the tokens that are not revoked; their secrets are kept nowhere."""
    with norn().database.transaction() as tx:
        found = tokens.listed(tx)
    return items(TokenAnswer, map(TokenAnswer.model_validate, found))


@api.post("/api/tokens", responses=answers(TokenMade, 201))
def create_token(body: TokenAsked) -> Response:
    """Makes a token and shows it this once."""
    apps = app_names(body.apps)
    secret, made = tokens.fresh(), []

    def create(tx: Tx) -> int:
        made.append(tokens.create(tx, secret, name=body.name, scopes=tuple(body.scopes), apps=apps, actor=actor().name))
        return 201

    status = once(create)
    with norn().database.transaction() as tx:
        found = made[0] if made else tokens.named(tx, body.name)
    if found is None:
        raise InvalidRequest("this Idempotency-Key made a token that was revoked since", hint="use a new key")
    told = TokenAnswer.model_validate(found).model_dump()
    return reply(TokenMade(**told, token=secret if made else None), status)


@api.delete("/api/tokens/<id:token>", responses=answers(None, 204))
def revoke_token(path: TokenPath) -> Response:
    """Ends a token for good; other API processes learn it within five seconds."""

    def revoke(tx: Tx) -> int:
        tokens.revoke(tx, path.token, actor=actor().name)
        return 204

    once(revoke)
    norn().authenticator.forget()
    return nothing()
