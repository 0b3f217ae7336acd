"""API tokens with their scopes."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.common import ListOf
from norn_api.schemas.server import TokenMade, TokenPath, TokenRequest, TokenResponse
from norn_api.services import actor, norn
from norn_api.web.fields import app_names
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import items, nothing, once, reply
from norn_tasks import dispatch
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.store.access import tokens
from norn_tasks.store.database.session import Tx

api = noun("tokens", "API tokens")


@api.get("/api/tokens", responses=responses_of(ListOf[TokenResponse]))
def list_tokens() -> Response:
    """Lists the tokens that are not revoked, without their secrets, of which only hashes are kept."""
    with norn().database.transaction() as tx:
        found = tokens.listed(tx)
    return items(TokenResponse, map(TokenResponse.model_validate, found))


@api.post("/api/tokens", responses=responses_of(TokenMade, 201))
def create_token(body: TokenRequest) -> Response:
    """Creates a token; only this response shows it."""
    apps = app_names(body.apps)
    secret, by, made = tokens.fresh(), actor().name, []

    def create(tx: Tx) -> int:
        made.append(dispatch.create_token(tx, secret, name=body.name, scopes=tuple(body.scopes), apps=apps, actor=by))
        return 201

    status = once(create)
    with norn().database.transaction() as tx:
        found = made[0] if made else tokens.named(tx, body.name)
    if found is None:
        raise InvalidRequest("this Idempotency-Key created a token that was revoked since", hint="use a new key")
    shown = TokenResponse.model_validate(found).model_dump()
    return reply(TokenMade(**shown, token=secret if made else None), status)


@api.delete("/api/tokens/<id:token>", responses=responses_of(None, 204))
def revoke_token(path: TokenPath) -> Response:
    """Revokes a token for good, and ends its sessions; other API processes notice within five seconds."""

    def revoke(tx: Tx) -> int:
        dispatch.revoke_token(tx, path.token, actor=actor().name)
        return 204

    once(revoke)
    norn().forget_senders()
    return nothing()
