"""Changes that take effect with their commit and need no job: to infraspecs, schedules, tokens, destinations and
workers.

The functions with a parameter `tx` write in the transaction of `change`, so that a request with an Idempotency-Key is
carried out only once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from norn_tasks.dispatch.intake import Intake
from norn_tasks.domain.access import Scope
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.store.access import audit, sessions, tokens
from norn_tasks.store.access.idempotency import IdempotencyKey, recall, remember
from norn_tasks.store.access.sessions import Browser, SessionSecrets, SignedIn
from norn_tasks.store.access.tokens import Token
from norn_tasks.store.alerts import destinations
from norn_tasks.store.apps import registry
from norn_tasks.store.cron import schedules
from norn_tasks.store.database.session import Tx
from norn_tasks.store.fleet import workers
from norn_tasks.store.replicas import maintenances
from norn_tasks.store.runs import payloads


def change(intake: Intake, key: IdempotencyKey | None, write: Callable[[Tx], int]) -> int:
    """Runs `write` in one transaction and returns its result, an HTTP status.

    If the key was used before, nothing is written, and the status of that first request is returned. Raises KeyReused
    if the first use had another body.
    """
    with intake.database.transaction() as tx:
        before = recall(tx, key)
        if before is not None:
            return before.status
        status = write(tx)
        remember(tx, key, None, status)
    return status


def record_request(
    intake: Intake, *, actor: str, method: str, path: str, app: str | None, status: int, about: str
) -> None:
    """Writes a request into the audit log."""
    with intake.database.transaction() as tx:
        audit.record(tx, actor=actor, method=method, path=path, app=app, status=status, about=about)


def apply_spec(tx: Tx, apps_dir: Path | None, spec: Infraspec, *, actor: str) -> bool:
    """Sets an app's infraspec; returns True if the app is new. Raises Conflict if a directory owns the app."""
    return registry.apply(tx, apps_dir, spec, actor=actor)


def remove_app(tx: Tx, apps_dir: Path | None, app: str, *, actor: str) -> None:
    """Removes an app with its secrets and uploads; raises AppNotFound, or Conflict until the app is torn down."""
    registry.remove(tx, apps_dir, app, actor=actor)


def pause_schedule(tx: Tx, app: str, reason: str, *, actor: str) -> None:
    """Stops a schedule from firing; raises Conflict for an app without a schedule."""
    schedules.pause(tx, app, actor, reason)


def resume_schedule(tx: Tx, app: str, *, actor: str) -> None:
    """Lets a paused schedule fire again."""
    schedules.resume(tx, app, actor)


def override_schedule(tx: Tx, app: str, schedule: str, timezone: str | None, *, actor: str) -> None:
    """Overrides the spec's schedule; `timezone` None keeps the spec's zone."""
    schedules.override(tx, app, schedule, timezone, actor)


def clear_schedule_override(tx: Tx, app: str, *, actor: str) -> None:
    """Removes the override, so that the spec's schedule is in effect again."""
    schedules.clear_override(tx, app, actor)


def begin_maintenance(tx: Tx, app: str, message: str, page: str | None, *, actor: str) -> None:
    """Shows a page instead of the app to visitors of its public name.

    Raises Conflict if no public name of the app leads to this server's router.
    """
    maintenances.begin(tx, app, message, page, actor)


def end_maintenance(tx: Tx, app: str, *, actor: str) -> None:
    """Shows visitors the app again."""
    maintenances.end(tx, app, actor)


def create_token(
    tx: Tx, secret: str, *, name: str, scopes: tuple[Scope, ...], apps: tuple[str, ...] | None, actor: str
) -> Token:
    """Stores the hash of a new token.

    Raises Conflict if the name is taken, and InvalidRequest if a token with the scope admin is limited to `apps`.
    """
    return tokens.create(tx, secret, name=name, scopes=scopes, apps=apps, actor=actor)


def revoke_token(tx: Tx, token: int, *, actor: str) -> None:
    """Revokes a token permanently; raises NotFound."""
    tokens.revoke(tx, token, actor=actor)


def sign_in(
    tx: Tx, *, token: str | None, code: str | None, made: SessionSecrets, browser: Browser, seconds: float
) -> SignedIn | None:
    """Begins a session for a token, or for the token that created the code. Returns None if the token or code is not
    valid.
    """
    if code is not None:
        return sessions.begin_by_code(tx, code, made, browser, seconds=seconds)
    return sessions.begin(tx, token or "", made, browser, seconds=seconds)


def make_sign_in_code(tx: Tx, code: str, *, token: str) -> None:
    """Stores the hash of a code with which one browser can sign in once, with the rights of the token named `token`."""
    sessions.make_code(tx, code, token)


def end_session(tx: Tx, session: int, *, token: str | None) -> None:
    """Signs a browser out; with `token`, only if the session belongs to the token of that name. Raises NotFound."""
    sessions.end(tx, session, token=token)


def remove_destination(tx: Tx, name: str, *, actor: str) -> None:
    """Removes a destination of notifications and the deliveries that wait for it; raises NotFound."""
    destinations.remove(tx, name, actor)


def drain_worker(tx: Tx, name: str, *, actor: str) -> None:
    """Asks a worker to finish its jobs, to take no new ones, and to exit; raises NotFound."""
    workers.drain(tx, name, actor=actor)


def take_answer(intake: Intake, execution: int) -> None:
    """Deletes the input and output of a call after its result was read, except the parts that the app's
    `function.record` keeps.
    """
    with intake.database.transaction() as tx:
        payloads.taken(tx, execution)
