"""Secrets of an app: each value is sealed here, with a key that only workers can open, and written at once.

A replica gets it with the next deploy or restart, a run or call with its next start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from norn_tasks import sealing
from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.secret import Secret
from norn_tasks.store.apps import secrets
from norn_tasks.store.database.session import Tx
from norn_tasks.store.status import apps


def set_secrets(tx: Tx, apps_dir: Path | None, app: str, values: Mapping[str, Secret], *, actor: str) -> dict[str, int]:
    """Sets some of an app's secrets and returns their new versions.

    Raises AppNotFound, InvalidRequest over the app's limits, Conflict when the server has no key yet.
    """
    _require_app(tx, apps_dir, app)
    public = secrets.recipient(tx)
    try:
        sealed = {name: sealing.seal(value.reveal(), public) for name, value in values.items()}
    except sealing.NotAKey:
        raise Conflict("the server's public key for secrets is none", hint=secrets.NEW_START) from None
    return secrets.put(tx, app, sealed, actor=actor)


def unset_secret(tx: Tx, apps_dir: Path | None, app: str, name: str, *, actor: str) -> None:
    """Unsets one of an app's secrets; raises AppNotFound, or NotFound when it is not set."""
    _require_app(tx, apps_dir, app)
    secrets.unset(tx, app, name, actor=actor)


def _require_app(tx: Tx, apps_dir: Path | None, app: str) -> None:
    """Raises AppNotFound for a name that no app has; a broken app keeps its secrets and may get new ones."""
    apps.one(tx, apps_dir, app)
