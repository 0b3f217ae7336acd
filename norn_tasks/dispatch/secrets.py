"""Secrets of an app: each value is sealed here, to a key that only workers can open with, and kept in the transaction.

Nothing becomes of it by itself: the next deploy or restart takes it along, the next run or call has it at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from norn_tasks import age
from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.secret import Secret
from norn_tasks.store import apps_read, secrets
from norn_tasks.store.session import Tx


def set_secrets(tx: Tx, apps_dir: Path | None, app: str, values: Mapping[str, Secret], *, actor: str) -> dict[str, int]:
    """Sets an app's secrets, others stay as they are; answers the new versions.

    Raises AppNotFound, InvalidRequest over the app's limits, Conflict when the server has no key yet.
    """
    _require_app(tx, apps_dir, app)
    public = secrets.recipient(tx)
    try:
        sealed = {name: age.seal(value.reveal(), public) for name, value in values.items()}
    except age.NotAKey:
        raise Conflict("the server's public key for secrets is none", hint=secrets.NEW_START) from None
    return secrets.put(tx, app, sealed, actor=actor)


def unset_secret(tx: Tx, apps_dir: Path | None, app: str, name: str, *, actor: str) -> None:
    """Takes one of an app's secrets away; raises AppNotFound, or NotFound when it is not set."""
    _require_app(tx, apps_dir, app)
    secrets.unset(tx, app, name, actor=actor)


def _require_app(tx: Tx, apps_dir: Path | None, app: str) -> None:
    """Raises AppNotFound for a name that no app has; a broken app keeps its secrets, and may get others."""
    apps_read.one(tx, apps_dir, app)
