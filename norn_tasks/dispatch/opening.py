"""The permission to open a function to anyone: only an admin may open it, but others may deploy a function that is
already open.

The infraspec of a deploy is not known before its source is fetched. So the request records whether its sender may open
the function. If not, the deploy fails when its infraspec opens the function.
"""

from __future__ import annotations

from norn_tasks.domain.functions.opening import open_to_anyone
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.infraspec.words import Auth
from norn_tasks.store.apps import registry
from norn_tasks.store.database.session import Tx
from norn_tasks.store.releases import releases


def may_open(tx: Tx, app: str, *, admin: bool) -> bool:
    """Returns True if the sender may deploy a function that anyone may call; `admin` says whether the sender is an
    admin.
    """
    if admin:
        return True
    live = releases.live(tx, app)
    return live is not None and registry.spec_of(live["spec"]).function.auth is Auth.NONE


def require_may_open(tx: Tx, spec: Infraspec, *, admin: bool) -> None:
    """Raises Forbidden if the infraspec lets anyone call the function and the sender may not open it."""
    if spec.function.auth is Auth.NONE and not may_open(tx, spec.app, admin=admin):
        raise open_to_anyone(spec.app)
