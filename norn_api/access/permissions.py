"""The permissions: one table of all routes. A route that is not in the table is refused to everyone, even to admins."""

from __future__ import annotations

from dataclasses import dataclass

from norn_api.access.auth import Identity
from norn_tasks.domain.access import Actor, Scope
from norn_tasks.domain.errors import Forbidden, Unauthenticated


@dataclass(frozen=True)
class Permission:
    """The permission that a route requires."""

    scope: Scope | None
    """The scope that the sender needs; None if it needs none."""
    own: Scope | None = None
    """A scope that suffices for objects that the sender made."""
    audited: bool = False
    """True for a mutation, which is written into the audit whether it succeeds or not."""
    whole: bool = False
    """True for facts about the whole server, which a token that is limited to some apps may not read."""
    signed: bool = False
    """True if the sender must have signed the body, as senders of webhooks do."""
    open: bool = False
    """True if anybody may send the request: the sender is not identified before the view is called."""

    def allows(self, actor: Actor) -> bool:
        """Returns True if the actor's scopes are enough; for `own`, the view checks who owns the object."""
        return any(scope is None or actor.may(scope) for scope in {self.scope, self.own or self.scope})


ANYONE = Permission(None, open=True)
SIGN_IN = Permission(None, audited=True, open=True)
SIGNED_IN = Permission(None, audited=True)
"""Changes of the sender's own session: any scope suffices."""
READ = Permission(Scope.READ)
READ_SERVER = Permission(Scope.READ, whole=True)
READ_OWN = Permission(Scope.READ, own=Scope.INVOKE)
CALL = Permission(Scope.INVOKE)
EXEC_STREAM = Permission(Scope.DEPLOY)
"""Input and output of an exec session; starting the session was audited."""
CANCEL_OWN = Permission(Scope.DEPLOY, own=Scope.INVOKE, audited=True)
INVOKE = Permission(Scope.INVOKE, audited=True)
END_SESSION = Permission(Scope.READ, audited=True)
"""Ends a session of the sender's own token; an admin may end any session."""
DEPLOY = Permission(Scope.DEPLOY, audited=True)
DOWNLOAD = Permission(Scope.DEPLOY, audited=True)
"""Reading all data of an app, as a program in its containers could; the audit records each download."""
ADMIN = Permission(Scope.ADMIN)
ADMIN_CHANGE = Permission(Scope.ADMIN, audited=True)
SIGNED = Permission(None, signed=True)
"""A delivery of a webhook; it is recorded in a row of its own instead of the audit."""

ANOTHER_APP = "ask an admin for one that does: norn token create NAME --only APP"
WHOLE_SERVER = "ask an admin for one that is not: norn token create NAME --scope SCOPE, without --only"

_APP = "/api/apps/<app>"

TABLE: dict[tuple[str, str], Permission] = {
    ("GET", "/"): ANYONE,
    ("GET", "/assets/<path:file>"): ANYONE,
    ("GET", "/api/openapi.json"): ANYONE,
    ("GET", "/api/docs"): ANYONE,
    ("GET", "/api/docs/<path:file>"): ANYONE,
    ("GET", "/api/health"): ANYONE,
    ("GET", "/api/version"): ANYONE,
    ("GET", "/api/schema/infraspec"): ANYONE,
    ("GET", "/api/stats"): READ_SERVER,
    ("GET", "/metrics"): READ_SERVER,
    ("GET", "/api/doctor"): READ,
    ("POST", "/api/validate"): READ,
    ("GET", "/api/apps"): READ,
    ("GET", _APP): READ,
    ("GET", f"{_APP}/why"): READ,
    ("GET", f"{_APP}/health-checks"): READ,
    ("PUT", _APP): DEPLOY,
    ("DELETE", _APP): DEPLOY,
    ("PUT", f"{_APP}/source"): DEPLOY,
    ("POST", f"{_APP}/validate"): READ,
    ("GET", f"{_APP}/specs"): READ,
    ("GET", f"{_APP}/plan"): READ,
    ("POST", f"{_APP}/plan"): READ,
    ("GET", f"{_APP}/drift"): READ,
    ("POST", f"{_APP}/drift"): READ,
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
    ("GET", "/api/execs/<id:job>/output"): EXEC_STREAM,
    ("POST", "/api/execs/<id:job>/input"): EXEC_STREAM,
    ("GET", f"{_APP}/runs"): READ,
    ("GET", "/api/runs/<id:run>"): READ,
    ("GET", f"{_APP}/deployments"): READ,
    ("GET", f"{_APP}/releases"): READ,
    ("GET", f"{_APP}/artifacts"): READ,
    ("GET", f"{_APP}/logs"): READ,
    ("GET", "/api/cron"): READ,
    ("PUT", f"{_APP}/maintenance"): DEPLOY,
    ("DELETE", f"{_APP}/maintenance"): DEPLOY,
    ("GET", f"{_APP}/secrets"): READ,
    ("PUT", f"{_APP}/secrets"): DEPLOY,
    ("DELETE", f"{_APP}/secrets/<secret>"): DEPLOY,
    ("POST", f"{_APP}/secrets/import"): DEPLOY,
    ("POST", f"{_APP}/secrets/export"): ADMIN_CHANGE,
    ("GET", f"{_APP}/secrets/export/<id:job>"): ADMIN,
    ("GET", "/api/secrets/key"): READ,
    ("POST", "/api/secrets/key/rotate"): ADMIN_CHANGE,
    ("GET", "/api/services"): READ,
    ("GET", f"{_APP}/services"): READ,
    ("GET", "/api/databases"): READ,
    ("GET", f"{_APP}/snapshots"): READ,
    ("POST", f"{_APP}/snapshots"): DEPLOY,
    ("POST", f"{_APP}/snapshots/<id:snapshot>/restore"): DEPLOY,
    ("GET", f"{_APP}/snapshots/<id:snapshot>/file"): DOWNLOAD,
    ("POST", f"{_APP}/drill"): DEPLOY,
    ("POST", f"{_APP}/services/rotate"): DEPLOY,
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
    ("GET", "/api/invocations/<id:invocation>/comparison/<id:other>"): READ_OWN,
    ("DELETE", "/api/invocations/<id:invocation>"): CANCEL_OWN,
    ("POST", "/api/invocations/<id:invocation>/replay"): INVOKE,
    ("GET", "/api/jobs"): READ,
    ("GET", "/api/jobs/<id:job>"): READ_OWN,
    ("POST", "/api/jobs/<id:job>/cancel"): CANCEL_OWN,
    ("POST", "/api/jobs/<id:job>/resolve"): DEPLOY,
    ("GET", "/api/jobs/<id:job>/events"): READ,
    ("GET", "/api/jobs/<id:job>/logs"): READ,
    ("GET", "/api/deployments"): READ,
    ("GET", "/api/deployments/<id:deployment>"): READ,
    ("GET", "/api/events"): READ,
    ("GET", "/api/events/stream"): READ,
    ("GET", "/api/stream"): READ,
    ("GET", "/api/alerts"): READ,
    ("GET", "/api/notifications"): ADMIN,
    ("POST", "/api/notifications"): ADMIN_CHANGE,
    ("DELETE", "/api/notifications/<name>"): ADMIN_CHANGE,
    ("POST", "/api/notifications/<name>/test"): ADMIN_CHANGE,
    ("GET", "/api/notifications/<name>/deliveries"): ADMIN,
    ("POST", "/api/webhooks/push"): SIGNED,
    ("GET", "/api/repositories"): ADMIN,
    ("PUT", "/api/repositories"): ADMIN_CHANGE,
    ("DELETE", "/api/repositories/<id:login>"): ADMIN_CHANGE,
    ("GET", "/api/webhooks"): ADMIN,
    ("POST", "/api/webhooks"): ADMIN_CHANGE,
    ("POST", "/api/webhooks/<id:webhook>/rotate"): ADMIN_CHANGE,
    ("DELETE", "/api/webhooks/<id:webhook>"): ADMIN_CHANGE,
    ("GET", "/api/webhooks/<id:webhook>/deliveries"): ADMIN,
    ("GET", "/api/tokens"): ADMIN,
    ("POST", "/api/tokens"): ADMIN_CHANGE,
    ("DELETE", "/api/tokens/<id:token>"): ADMIN_CHANGE,
    ("GET", "/api/session"): ANYONE,
    ("POST", "/api/session"): SIGN_IN,
    ("DELETE", "/api/session"): SIGNED_IN,
    ("POST", "/api/session/codes"): SIGNED_IN,
    ("GET", "/api/sessions"): READ,
    ("DELETE", "/api/sessions/<id:session>"): END_SESSION,
    ("GET", "/api/workers"): READ_SERVER,
    ("POST", "/api/workers/<name>/drain"): ADMIN_CHANGE,
    ("GET", "/api/audit"): ADMIN,
    ("GET", "/api/settings"): ADMIN,
    **{
        (method, rule): CALL
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
        for rule in ("/fn/<app>", "/fn/<app>/<rest:rest>")
    },
}


def permission(method: str, rule: str) -> Permission:
    """Returns the permission of a route; raises Forbidden for a route that is not in the table."""
    found = TABLE.get((method, rule)) or (TABLE.get(("GET", rule)) if method == "HEAD" else None)
    if found is None:
        raise Forbidden("this address is closed", hint="GET /api/openapi.json lists what is open")
    return found


def require(needed: Permission, sender: Identity, app: str | None) -> None:
    """Raises Forbidden if the sender lacks the permission or has no access to the app; Unauthenticated if a signature
    is missing.
    """
    actor = sender.actor
    if needed.signed and not sender.signed:
        raise Unauthenticated("this needs a signed body", hint="send the signature that belongs to this address")
    if (needed.whole or needed.scope is Scope.ADMIN) and actor.apps is not None:
        raise Forbidden("this belongs to the whole server, and your token is limited to apps", hint=WHOLE_SERVER)
    if not needed.allows(actor):
        raise Forbidden(
            f"your token lacks the scope {needed.scope}, which this needs",
            hint=f"ask an admin for one that has it: norn token create NAME --scope {needed.scope}",
        )
    if app is not None and not actor.reaches(app):
        raise Forbidden(f"your token does not reach {app[:80]}", hint=ANOTHER_APP)
