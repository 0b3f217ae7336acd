"""Sign-in sessions: a browser exchanges a token or a one-time code for a cookie, sees what it may do, and signs out."""

from __future__ import annotations

import secrets
from dataclasses import asdict

from flask import Response, g, request

from norn_api.access.auth import Identity
from norn_api.access.browsers import clear_cookie, refuse_foreign_page, require_safe_page, set_cookie
from norn_api.access.team_tokens import NAME as TEAM
from norn_api.schemas.common import ListOf
from norn_api.schemas.sessions import (
    SessionListed,
    SessionMade,
    SessionPath,
    SessionResponse,
    SignInCode,
    SignInRequest,
)
from norn_api.services import actor, norn, session
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import items, nothing, once, reply
from norn_api.web.senders import credentials
from norn_tasks import dispatch
from norn_tasks.domain.access import Actor, Scope
from norn_tasks.domain.errors import Conflict, Forbidden, InvalidRequest, Unauthenticated
from norn_tasks.store.access import sessions
from norn_tasks.store.access.sessions import Browser, SessionSecrets, SignedIn
from norn_tasks.store.database.session import Tx

DAY = 86_400
_HINT = "norn ui signs a browser in; a token is in NORN_TOKEN, or in the file `token` of Norn's data directory"
api = noun("sessions", "Browsers that are signed in")


# The session of this request


@api.get("/api/session", responses=responses_of(SessionResponse))
def get_session() -> Response:
    """Returns who is signed in here and what the session may do; `signed_in` is false for a stranger."""
    sent = credentials()
    found = norn().authenticators.recognised(sent)
    known = None if found is None or found.session is None else norn().sessions.find(sent)
    return reply(_shown(found, known))


@api.post("/api/session", responses=responses_of(SessionMade, 201, _200=SessionMade))
def create_session(body: SignInRequest) -> Response:
    """Signs a browser in: exchanges a token or a one-time code for a cookie and the secret that belongs to it.

    Returns 200 and no cookie if the server asks for no token.
    """
    refuse_foreign_page(request.method, dict(request.headers))
    if (body.token is None) == (body.code is None):
        raise InvalidRequest("token, code: send one of them", hint=_HINT)
    if norn().settings.auth == "off":
        return reply(SessionMade(**_shown(norn().authenticators.identify(credentials()), None).model_dump(), csrf=""))
    require_safe_page(dict(request.headers))
    made, seconds = SessionSecrets.fresh(), norn().settings.session_days * DAY
    found = _sign_in(body, made, seconds)
    g.actor, g.about = found.actor, f"session {found.id}"
    shown = _shown(Identity(found.actor, session=found.id), found)
    response = reply(SessionMade(**shown.model_dump(), csrf=made.csrf), 201)
    set_cookie(response, norn().settings.port, made.cookie, host=request.host, seconds=seconds)
    return response


def _sign_in(body: SignInRequest, made: SessionSecrets, seconds: float) -> SignedIn:
    browser = Browser(request.headers.get("User-Agent", "")[:300], request.remote_addr or "")
    with norn().database.transaction() as tx:
        found = dispatch.sign_in(tx, token=body.token, code=body.code, made=made, browser=browser, seconds=seconds)
    if found is None:
        norn().authenticators.count_failure(request.remote_addr or "")
        wrong = "this token is not known here, or was revoked"
        raise Unauthenticated(wrong if body.code is None else "this code was used already, or is too old", hint=_HINT)
    return found


def _shown(sender: Identity | None, known: SignedIn | None) -> SessionResponse:
    found = sender.actor if sender is not None else Actor("")
    return SessionResponse(
        signed_in=sender is not None,
        auth=norn().settings.auth,
        name=found.name,
        scopes=sorted(scope for scope in Scope if found.may(scope)),
        apps=None if found.apps is None else sorted(found.apps),
        session=None if known is None else known.id,
        expires_at=None if known is None else known.expires_at,
    )


@api.delete("/api/session", responses=responses_of(None, 204))
def delete_session() -> Response:
    """Signs this browser out: ends its session and removes its cookie."""
    here = session()
    if here is None:
        raise Conflict("this request was made without a session", hint="norn session list")
    _end(here, None)
    response = nothing()
    clear_cookie(response, norn().settings.port, host=request.host)
    return response


@api.post("/api/session/codes", responses=responses_of(SignInCode, 201))
def create_sign_in_code() -> Response:
    """Creates a code that signs one browser in with the token of this request, within a minute."""
    if session() is not None:
        raise Forbidden(
            "a session cannot make sign-in codes: a browser could stay signed in after this session ends",
            hint="norn ui",
        )
    if norn().settings.auth == "off":
        return reply(SignInCode(code=None), 201)
    if actor().name.startswith(TEAM):
        raise Forbidden("Cloudflare Access signs browsers in, not codes", hint="open the page at its address")
    code = secrets.token_urlsafe(32)
    with norn().database.transaction() as tx:
        dispatch.make_sign_in_code(tx, code, token=actor().name)
    return reply(SignInCode(code=code), 201)


# All sessions


@api.get("/api/sessions", responses=responses_of(ListOf[SessionListed]))
def list_sessions() -> Response:
    """Lists the browsers that are signed in, newest first; only an admin sees the browsers of other tokens."""
    with norn().database.transaction() as tx:
        found = sessions.listed(tx, token=_own())
    return items(SessionListed, (SessionListed(**asdict(each), current=each.id == session()) for each in found))


@api.delete("/api/sessions/<id:session>", responses=responses_of(None, 204))
def revoke_session(path: SessionPath) -> Response:
    """Signs a browser out; other API processes notice within five seconds."""
    _end(path.session, _own())
    return nothing()


def _own() -> str | None:
    """Returns the name of the token whose sessions the sender may see and end; None for an admin, who may end any."""
    return None if actor().may(Scope.ADMIN) else actor().name


def _end(number: int, token: str | None) -> None:
    def end(tx: Tx) -> int:
        dispatch.end_session(tx, number, token=token)
        return 204

    once(end)
    g.about = f"session {number}"
    norn().forget_senders()
