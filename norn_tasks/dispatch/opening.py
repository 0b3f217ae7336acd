"""The permission to let anyone call a function: only an admin opens a function, and what is open may stay open.

The spec of a deploy is known only when its source was fetched. So the request keeps whether its sender may open the
function, and the deploy refuses the spec if not.
"""

from __future__ import annotations

from norn_tasks.domain.functions.opening import open_to_anyone
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.infraspec.words import Auth
from norn_tasks.store.apps import registry
from norn_tasks.store.database.session import Tx
from norn_tasks.store.releases import releases


def may_open(tx: Tx, app: str, *, admin: bool) -> bool:
    """Returns True if a release of the app that anyone may call can become live; `admin`: an admin asks."""
    if admin:
        return True
    live = releases.live(tx, app)
    return live is not None and registry.spec_of(live["spec"]).function.auth is Auth.NONE


def require_may_open(tx: Tx, spec: Infraspec, *, admin: bool) -> None:
    """Raises Forbidden for a spec that lets anyone call the function, if the sender may not open it."""
    if spec.function.auth is Auth.NONE and not may_open(tx, spec.app, admin=admin):
        raise open_to_anyone(spec.app)
