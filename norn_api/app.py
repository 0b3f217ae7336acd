"""Creates the Flask application: its routes, the checks before a view, and the headers of every response."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from secrets import token_hex

import structlog
from flask import Response, g, request
from flask_openapi.openapi import OpenAPI

from norn_api.access import pages
from norn_api.access.auth import ANONYMOUS, Authenticator, Identity
from norn_api.access.browsers import refuse_foreign_page
from norn_api.access.content import ContentPolicy, policy_of
from norn_api.access.function_host import FUNCTION_RULES, refuse_other_host
from norn_api.access.open_door import SAFE, refuse_foreign, refuse_unsafe_settings
from norn_api.access.permissions import CALL, SIGN_IN, Permission, permission, require
from norn_api.calling import open_calls
from norn_api.routes.apps import (
    apps,
    databases,
    drift,
    maintenance,
    plans,
    secret_files,
    secrets,
    services,
    sources,
    specs,
    why,
)
from norn_api.routes.jobs import deployments, jobs, logs, work
from norn_api.routes.runs import cron, execs, fn, functions, oneoffs
from norn_api.routes.server import (
    alerts,
    audit,
    docs,
    events,
    notifications,
    page,
    repositories,
    server,
    sessions,
    settings,
    tokens,
    webhooks,
    workers,
)
from norn_api.services import ApiServices, install, norn
from norn_api.streaming.connections import Connection
from norn_api.web import errors, openapi, strangers
from norn_api.web.converters import CONVERTERS
from norn_api.web.request import StrictRequest, current
from norn_api.web.senders import credentials
from norn_tasks import dispatch
from norn_tasks.dispatch import Intake
from norn_tasks.domain.access import Actor
from norn_tasks.domain.errors import DatabaseDown, InvalidRequest, NornError, Unconfirmed
from norn_tasks.store.database import session
from norn_tasks.store.fleet import disk

NOUNS = (
    server, specs, apps, plans, drift, maintenance, sources, why, work, oneoffs, execs, deployments, jobs, logs,
    secrets, secret_files, services, databases, cron, alerts, functions, events, notifications, tokens, sessions,
    webhooks, repositories,
    workers, audit, settings,
)  # fmt: skip
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_HEALTH = "norn health"
_log = structlog.get_logger("norn.api")


class NornApp(OpenAPI):
    """Norn's Flask application, which parses requests strictly."""

    request_class = StrictRequest


def create_app(intake: Intake, authenticators: Sequence[Authenticator] = ()) -> NornApp:
    """Creates the application that accepts work through `intake`; raises InvalidRequest for settings that would open
    the API to everyone.

    `authenticators` are asked after Norn's own authenticators.
    """
    refuse_unsafe_settings(intake.settings)
    app = NornApp("norn_api", static_folder=None, **openapi.document(server.server_version()))
    app.config.update(MAX_CONTENT_LENGTH=intake.settings.json_max, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters.update(CONVERTERS)
    app.url_map.merge_slashes = False
    install(app.extensions, ApiServices.of(intake, authenticators))
    _add_nouns(app)
    app.before_request(_admit)
    app.after_request(_finish)
    errors.register(app)
    openapi.finish(app)
    return app


def _add_nouns(app: NornApp) -> None:
    app.validation_error_callback = errors.refused_fields
    for module in NOUNS:
        app.register_api(module.api)
    app.register_blueprint(page.pages)
    app.register_blueprint(docs.pages)
    app.register_blueprint(fn.pages)


# Before a view


def _admit() -> Response | None:
    """Lets a request pass to its view if it can be read and its sender has the permission.

    A preflight, with which a browser asks whether a page may call a function, is answered here, without a token.
    """
    g.actor, g.began, g.changes = ANONYMOUS, time.monotonic(), session.changes_of_thread()
    _name_request()
    if "\0" in request.path or "%00" in request.query_string.decode("latin-1"):
        raise InvalidRequest("the address holds a NUL character", hint="leave it out")
    if request.url_rule is None:
        return None
    refuse_other_host(request.url_rule.rule, request.host, norn().settings.fn_host)
    needed = permission(request.method, request.url_rule.rule)
    g.permission = needed
    if needed.open:
        _guard_body()
        if needed is SIGN_IN:
            strangers.read_sign_in()
        return None
    if _open_figures() or norn().settings.auth == "off":
        refuse_foreign(request.method, dict(request.headers), runs=needed is CALL)
    if needed is CALL and pages.is_preflight():
        return pages.preflight()
    if not _open_figures():
        _let_in(needed)
    return None


def _let_in(needed: Permission) -> None:
    if needed.signed:
        _guard_body()  # the body is read to identify the sender
    sender = _identify(needed)
    g.actor, g.session, g.changes = sender.actor, sender.session, session.changes_of_thread()
    if sender.session is not None or sender.ambient:
        refuse_foreign_page(request.method, dict(request.headers))
    _guard_body()
    if _needs_room(needed):
        _require_room()
    require(needed, sender, (request.view_args or {}).get("app"))


def _guard_body() -> None:
    """Makes sure that a sender who stops in the middle of the body does not occupy a thread."""
    if current().has_body:
        Connection(request.environ).guard()


def _identify(needed: Permission) -> Identity:
    try:
        if needed.signed:
            with strangers.delivery() as sent:
                return norn().signatures.identify(sent)
        if request.url_rule is not None and request.url_rule.rule in FUNCTION_RULES:
            return open_calls.caller((request.view_args or {})["app"])
        return norn().authenticators.identify(credentials())
    except DatabaseDown as error:
        _require_room()  # if the database hangs because its disk is full, this reports the full disk
        # Only the update of the token's last use is unconfirmed here; the request itself has not begun.
        if isinstance(error, Unconfirmed):
            raise DatabaseDown("the database did not confirm the token", hint=_HEALTH, retry_after=2) from error
        raise


def _name_request() -> None:
    """Gives the request an id: the sender's own if it is valid. Every log line of the request carries it."""
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else token_hex(8)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request=g.request_id)


def _require_room() -> None:
    disk.require_room(norn().settings.data_dir, norn().settings.disk_accept_free)


def _needs_room(needed: Permission) -> bool:
    """Returns True for a request that needs disk space; ending, removing or cancelling something does not."""
    frees = request.method == "DELETE" or request.path.rsplit("/", 1)[-1] in ("cancel", "teardown", "drain")
    return needed is CALL or needed.signed or (needed.audited and not frees)


def _open_figures() -> bool:
    return request.path == "/metrics" and norn().settings.metrics == "open"


# After a view


def _finish(response: Response) -> Response:
    """Adds the headers that every response has, and writes the request into the audit if the audit records such
    requests.
    """
    policy = policy_of(request.url_rule.rule if request.url_rule is not None else None)
    policy.apply(response.headers)
    if policy is ContentPolicy.FOREIGN:
        if norn().settings.auth == "on":
            pages.allow(response.headers)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Norn-Duration-Ms"] = str(g.get("duration_ms") or 0)
    if g.get("invocation") is not None:
        response.headers["X-Norn-Invocation-Id"] = str(g.invocation)
    response.headers["X-Request-Id"] = g.get("request_id", "")
    if response.status_code in (503, 504) or (response.status_code == 429 and g.actor is not ANONYMOUS):
        Connection(request.environ).guard()
        current().discard_rest()
    elif g.get("actor") is ANONYMOUS and current().unread:
        current().discard_what_came()
    _count(response.status_code)
    needed: Permission | None = g.get("permission")
    if needed is not None and _to_audit(needed, response.status_code, g.actor):
        _audit(g.actor, response.status_code)
    return response


def _count(status: int) -> None:
    route = request.url_rule.rule if request.url_rule is not None else "none"
    method = request.method if request.method in METHODS else "other"
    norn().figures.answered(method, route, status, time.monotonic() - g.get("began", time.monotonic()))


def _to_audit(needed: Permission, status: int, actor: Actor) -> bool:
    """Returns True for changes and downloads, and for changes whose sender was refused for lack of a token or a
    permission.

    A call of a function is recorded in a row of its own instead. Requests that are refused with 429 or 507 are not
    recorded. Of one sender's refused attempts, the first few are recorded, and after that one every few seconds.
    """
    if (request.method in SAFE and not needed.audited) or status in (429, 507):
        return False
    if status >= 400 and norn().failures.take(actor.name):
        return False
    return needed.audited or status in (401, 403)


def _audit(actor: Actor, status: int) -> None:
    app = (request.view_args or {}).get("app")
    _log.info("request", method=request.method, path=request.path[:200], status=status, actor=actor.name)
    try:
        dispatch.record_request(
            norn().intake, actor=actor.name, method=request.method, path=request.path[:500], app=app, status=status,
            about=g.get("about", ""),
        )  # fmt: skip
    except NornError as error:
        _log.warning("a request is missing from the audit", actor=actor.name, path=request.path, says=error.sentence)
