"""Makes the Flask application: every noun, the checks before a view, and what every answer carries."""

from __future__ import annotations

import re
import time
from secrets import token_hex

import structlog
from flask import Response, g, request
from flask_openapi.openapi import OpenAPI

from norn_api import errors, openapi
from norn_api.auth import ANONYMOUS
from norn_api.converters import CONVERTERS
from norn_api.open_door import SAFE, refuse_foreign, refuse_open_door
from norn_api.permissions import ANYONE, CALL, Permission, permission, require
from norn_api.request import StrictRequest
from norn_api.routes import (
    alerts,
    apps,
    audit,
    cron,
    deployments,
    docs,
    events,
    execs,
    fn,
    functions,
    jobs,
    logs,
    notifications,
    oneoffs,
    secrets,
    server,
    sources,
    specs,
    tokens,
    why,
    work,
    workers,
)
from norn_api.services import Services, install, norn
from norn_tasks.dispatch import Intake
from norn_tasks.domain.access import Actor
from norn_tasks.domain.errors import DatabaseDown, InvalidRequest, NornError
from norn_tasks.store import audit as audit_table
from norn_tasks.store import disk

NOUNS = (
    server, specs, apps, sources, why, work, oneoffs, execs, deployments, jobs, logs, secrets, cron, alerts, functions,
    events, notifications, tokens, workers, audit,
)  # fmt: skip
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_log = structlog.get_logger("norn.api")


class NornApp(OpenAPI):
    """Our Flask application: strict requests, addresses taken literally."""

    request_class = StrictRequest


def create_app(intake: Intake) -> NornApp:
    """Makes the application that accepts work through `intake`; raises InvalidRequest for a door left open."""
    settings = intake.settings
    refuse_open_door(settings)
    app = NornApp("norn_api", static_folder=None, **openapi.document(server.server_version()))
    app.config.update(MAX_CONTENT_LENGTH=settings.json_max, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters.update(CONVERTERS)
    app.url_map.merge_slashes = False
    install(app.extensions, Services.of(intake))
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
    app.register_blueprint(docs.pages)
    app.register_blueprint(fn.pages)


# Before a view


def _admit() -> None:
    """Lets a request to its view when it can be read and its sender may do it."""
    g.actor, g.began = ANONYMOUS, time.monotonic()
    _name_request()
    if "\0" in request.path or "%00" in request.query_string.decode("latin-1"):
        raise InvalidRequest("the address holds a NUL character", hint="leave it out")
    if request.url_rule is None:
        return
    needed = permission(request.method, request.url_rule.rule)
    g.permission = needed
    if needed is ANYONE:
        return
    if _open_figures() or norn().settings.auth == "off":
        refuse_foreign(request.method, dict(request.headers))
    if _open_figures():
        return
    header = request.headers.get("Authorization")
    try:
        g.actor = norn().authenticator.actor(header, request.remote_addr or "")
    except DatabaseDown:
        _require_room()  # a database that stands still for its full disk is told as that
        raise
    if _makes_something(needed):
        _require_room()
    require(needed, g.actor, (request.view_args or {}).get("app"))


def _name_request() -> None:
    """Gives the request an id, its sender's own when it has a good one; every line of the log about it carries it."""
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else token_hex(8)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request=g.request_id)


def _require_room() -> None:
    disk.require_room(norn().settings.data_dir, norn().settings.disk_accept_free)


def _makes_something(needed: Permission) -> bool:
    """True for a request that needs room; what ends, removes or calls off is taken on a full disk too."""
    frees = request.method == "DELETE" or request.path.rsplit("/", 1)[-1] in ("cancel", "teardown", "drain")
    return needed is CALL or (needed.audited and not frees)


def _open_figures() -> bool:
    return request.path == "/metrics" and norn().settings.metrics == "open"


# After a view


def _finish(response: Response) -> Response:
    """Writes the audit, and puts on an answer what every answer has."""
    if request.path.startswith("/fn/"):
        fn.shield(response)
        response.headers["X-Norn-Duration-Ms"] = str(g.get("duration_ms") or 0)
    else:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if g.get("invocation") is not None:
        response.headers["X-Norn-Invocation-Id"] = str(g.invocation)
    response.headers["X-Request-Id"] = g.get("request_id", "")
    _count(response.status_code)
    needed: Permission | None = g.get("permission")
    if needed is not None and _to_audit(needed, response.status_code):
        _audit(g.actor, response.status_code)
    return response


def _count(status: int) -> None:
    route = request.url_rule.rule if request.url_rule is not None else "none"
    method = request.method if request.method in METHODS else "other"
    norn().figures.answered(method, route, status, time.monotonic() - g.get("began", time.monotonic()))


def _to_audit(needed: Permission, status: int) -> bool:
    """A mutation leaves a row; a call has its own, unless it was refused. What is refused in masses leaves none."""
    if request.method in SAFE or status in (429, 507):
        return False
    return needed.audited or status in (401, 403)


def _audit(actor: Actor, status: int) -> None:
    app = (request.view_args or {}).get("app")
    _log.info("request", method=request.method, path=request.path[:200], status=status, actor=actor.name)
    try:
        with norn().database.transaction() as tx:
            audit_table.record(
                tx, actor=actor.name, method=request.method, path=request.path[:500], app=app, status=status,
                about=g.get("about", ""),
            )  # fmt: skip
    except NornError as error:
        _log.warning("a request is missing in the audit", actor=actor.name, path=request.path, says=error.sentence)
