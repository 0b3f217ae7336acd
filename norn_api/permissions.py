"""Who may do what: one table, default-deny. An address that is not in it is refused to everyone, admins included."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.domain.access import Actor, Scope
from norn_tasks.domain.errors import Forbidden


@dataclass(frozen=True)
class Permission:
    """What a request needs: a scope (None: nothing at all), or `own`, a scope that suffices for what one made oneself.

    `audited`: the request is a mutation, and leaves a row whatever becomes of it.
    """

    scope: Scope | None
    own: Scope | None = None
    audited: bool = False

    def allows(self, actor: Actor) -> bool:
        """True when the actor's scopes suffice; for `own` the view asks further."""
        return any(scope is None or actor.may(scope) for scope in {self.scope, self.own or self.scope})


ANYONE = Permission(None)
READ = Permission(Scope.READ)
READ_OWN = Permission(Scope.READ, own=Scope.INVOKE)
CALL = Permission(Scope.INVOKE)
TYPE = Permission(Scope.DEPLOY)
"""What goes to and fro in something that was audited when it was asked for."""
CANCEL_OWN = Permission(Scope.DEPLOY, own=Scope.INVOKE, audited=True)
INVOKE = Permission(Scope.INVOKE, audited=True)
DEPLOY = Permission(Scope.DEPLOY, audited=True)
ADMIN = Permission(Scope.ADMIN)
ADMIN_DEED = Permission(Scope.ADMIN, audited=True)

ANOTHER_APP = "ask an admin for one that does: norn token create NAME --only APP"
WHOLE_SERVER = "ask an admin for one that is not: norn token create NAME --scope SCOPE, without --only"

_APP = "/api/apps/<app>"

TABLE: dict[tuple[str, str], Permission] = {
    ("GET", "/api/openapi.json"): ANYONE,
    ("GET", "/api/docs"): ANYONE,
    ("GET", "/api/docs/<path:file>"): ANYONE,
    ("GET", "/api/health"): ANYONE,
    ("GET", "/api/version"): ANYONE,
    ("GET", "/api/schema/infraspec"): ANYONE,
    ("GET", "/api/stats"): READ,
    ("GET", "/metrics"): READ,
    ("GET", "/api/doctor"): READ,
    ("POST", "/api/validate"): READ,
    ("GET", "/api/apps"): READ,
    ("GET", _APP): READ,
    ("GET", f"{_APP}/why"): READ,
    ("PUT", _APP): DEPLOY,
    ("DELETE", _APP): DEPLOY,
    ("PUT", f"{_APP}/source"): DEPLOY,
    ("POST", f"{_APP}/validate"): READ,
    ("GET", f"{_APP}/forge"): READ,
    ("GET", f"{_APP}/forge-state"): READ,
    ("POST", f"{_APP}/forge"): DEPLOY,
    ("DELETE", f"{_APP}/forge"): DEPLOY,
    ("POST", f"{_APP}/teardown"): DEPLOY,
    ("POST", f"{_APP}/deploy"): DEPLOY,
    ("POST", f"{_APP}/rollback"): DEPLOY,
    ("POST", f"{_APP}/restart"): DEPLOY,
    ("POST", f"{_APP}/scale"): DEPLOY,
    ("POST", f"{_APP}/run"): DEPLOY,
    ("POST", f"{_APP}/exec"): DEPLOY,
    ("GET", "/api/execs/<id:job>/output"): TYPE,
    ("POST", "/api/execs/<id:job>/input"): TYPE,
    ("GET", f"{_APP}/runs"): READ,
    ("GET", "/api/runs/<id:run>"): READ,
    ("GET", f"{_APP}/deployments"): READ,
    ("GET", f"{_APP}/releases"): READ,
    ("GET", f"{_APP}/artifacts"): READ,
    ("GET", f"{_APP}/logs"): READ,
    ("GET", "/api/cron"): READ,
    ("GET", f"{_APP}/secrets"): READ,
    ("PUT", f"{_APP}/secrets"): DEPLOY,
    ("DELETE", f"{_APP}/secrets/<secret>"): DEPLOY,
    ("GET", f"{_APP}/cron"): READ,
    ("GET", f"{_APP}/cron/history"): READ,
    ("GET", f"{_APP}/cron/next"): READ,
    ("GET", f"{_APP}/cron/executions/<id:execution>"): READ,
    ("POST", f"{_APP}/cron/trigger"): DEPLOY,
    ("POST", f"{_APP}/cron/pause"): DEPLOY,
    ("POST", f"{_APP}/cron/resume"): DEPLOY,
    ("PUT", f"{_APP}/cron/schedule"): DEPLOY,
    ("DELETE", f"{_APP}/cron/schedule"): DEPLOY,
    ("POST", f"{_APP}/invoke"): CALL,
    ("GET", f"{_APP}/function/history"): READ,
    ("GET", "/api/invocations/<id:invocation>"): READ_OWN,
    ("DELETE", "/api/invocations/<id:invocation>"): CANCEL_OWN,
    ("POST", "/api/invocations/<id:invocation>/replay"): INVOKE,
    ("GET", "/api/jobs"): READ,
    ("GET", "/api/jobs/<id:job>"): READ_OWN,
    ("POST", "/api/jobs/<id:job>/cancel"): CANCEL_OWN,
    ("GET", "/api/jobs/<id:job>/events"): READ,
    ("GET", "/api/jobs/<id:job>/logs"): READ,
    ("GET", "/api/deployments"): READ,
    ("GET", "/api/deployments/<id:deployment>"): READ,
    ("GET", "/api/events"): READ,
    ("GET", "/api/events/stream"): READ,
    ("GET", "/api/alerts"): READ,
    ("GET", "/api/notifications"): ADMIN,
    ("POST", "/api/notifications"): ADMIN_DEED,
    ("DELETE", "/api/notifications/<name>"): ADMIN_DEED,
    ("POST", "/api/notifications/<name>/test"): ADMIN_DEED,
    ("GET", "/api/notifications/<name>/deliveries"): ADMIN,
    ("GET", "/api/tokens"): ADMIN,
    ("POST", "/api/tokens"): ADMIN_DEED,
    ("DELETE", "/api/tokens/<id:token>"): ADMIN_DEED,
    ("GET", "/api/workers"): READ,
    ("POST", "/api/workers/<name>/drain"): ADMIN_DEED,
    ("GET", "/api/audit"): ADMIN,
    **{
        (method, rule): CALL
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
        for rule in ("/fn/<app>", "/fn/<app>/<rest:rest>")
    },
}


def permission(method: str, rule: str) -> Permission:
    """Answers what an address needs; raises Forbidden for one that nobody put into the table."""
    found = TABLE.get((method, rule)) or (TABLE.get(("GET", rule)) if method == "HEAD" else None)
    if found is None:
        raise Forbidden("this address is closed", hint="GET /api/openapi.json lists what is open")
    return found


def require(needed: Permission, actor: Actor, app: str | None) -> None:
    """Raises Forbidden when the actor may not do it, or not to this app."""
    if needed.scope is Scope.ADMIN and actor.apps is not None:
        raise Forbidden("this is of the whole server, and your token is limited to apps", hint=WHOLE_SERVER)
    if not needed.allows(actor):
        raise Forbidden(
            f"your token's scopes do not reach this: it needs {needed.scope}",
            hint=f"ask an admin for one that has it: norn token create NAME --scope {needed.scope}",
        )
    if app is not None and not actor.reaches(app):
        raise Forbidden(f"your token does not reach {app[:80]}", hint=ANOTHER_APP)
