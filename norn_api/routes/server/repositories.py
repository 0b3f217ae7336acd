"""Logins of private repositories: tokens with which workers read them."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.common import ListOf
from norn_api.schemas.webhooks import LoginPath, LoginRequest, LoginResponse
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import items, nothing, once, reply
from norn_tasks import dispatch
from norn_tasks.domain.pushes.repository import login_name_of
from norn_tasks.domain.secret import Secret
from norn_tasks.store.apps import logins
from norn_tasks.store.database.session import Tx

api = noun("repositories", "Logins of private repositories")


@api.get("/api/repositories", responses=responses_of(ListOf[LoginResponse]))
def list_logins() -> Response:
    """Lists the repositories that have a login, without their tokens, which nobody can read again."""
    with norn().database.transaction() as tx:
        found = logins.listed(tx)
    return items(LoginResponse, map(LoginResponse.model_validate, found))


@api.put("/api/repositories", responses=responses_of(LoginResponse))
def set_login(body: LoginRequest) -> Response:
    """Sets the login of a repository, which later clones use."""

    def put(tx: Tx) -> int:
        dispatch.set_login(tx, body.url, body.username, Secret(body.token), actor=actor().name)
        return 200

    once(put, slowly=True)
    with norn().database.transaction() as tx:
        found = next(each for each in logins.listed(tx) if each.repository == login_name_of(body.url))
    return reply(LoginResponse.model_validate(found))


@api.delete("/api/repositories/<id:login>", responses=responses_of(None, 204))
def remove_login(path: LoginPath) -> Response:
    """Removes the login of a repository."""

    def remove(tx: Tx) -> int:
        dispatch.remove_login(tx, path.login)
        return 204

    once(remove)
    return nothing()
