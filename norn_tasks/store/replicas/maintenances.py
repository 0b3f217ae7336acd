"""Apps in maintenance, as rows. The router reads the rows, and shows the page of each such app at its public name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.tunnel.maintenance import Maintenance, page_of
from norn_tasks.store.apps.registry import role_of
from norn_tasks.store.database.session import ROUTES, Tx, note
from norn_tasks.store.events.publishing import publish


def begin(tx: Tx, app: str, message: str, page: str | None, actor: str) -> None:
    """Shows visitors the page, or Norn's own page with the message; replaces the page of an app in maintenance.

    Raises AppNotFound, or Conflict for an app whose public name does not lead to the router.
    """
    role_of(tx, app)
    if tx.scalar(_AT_DOOR, {"app": app}) is None:
        raise Conflict(
            f"{app} has no public name that leads to this server's router, so no visitor would see a page",
            hint=f"hosts.external in its infraspec.yaml gives it one, and norn forge {app}",
        )
    values = {"app": app, "message": message, "page": page or page_of(app, message), "by": actor}
    tx.execute(_BEGIN, values)
    _noted(tx, app, actor, on=True)


def end(tx: Tx, app: str, actor: str) -> None:
    """Shows visitors the app again; does nothing if it is not in maintenance. Raises AppNotFound."""
    role_of(tx, app)
    if tx.scalar(text("DELETE FROM maintenances WHERE app = :app RETURNING app"), {"app": app}) is not None:
        _noted(tx, app, actor, on=False)


def _noted(tx: Tx, app: str, actor: str, *, on: bool) -> None:
    publish(tx, EventKind.APP_MAINTENANCE, app=app, on=on, actor=actor)
    note(tx, ROUTES, app)


def of(tx: Tx, apps: Sequence[str]) -> dict[str, Maintenance]:
    """Returns the maintenances of these apps, by app."""
    rows = tx.execute(_OF, {"apps": list(apps)})
    return {row.app: Maintenance(row.message, row.began_by, row.began_at) for row in rows}


# A tunnel rule that an earlier version of Norn made leads to the app's own port until the next forge of the app.
_AT_DOOR = text("""
SELECT 1 FROM addresses d WHERE d.app = :app
   AND EXISTS (SELECT 1 FROM external_hosts e WHERE e.app = d.app AND NOT e.leaving
                  AND (e.service IS NULL OR e.service NOT LIKE '%:' || d.port))""")
_BEGIN = text("""
INSERT INTO maintenances (app, message, page, began_by) VALUES (:app, :message, :page, :by)
ON CONFLICT (app) DO UPDATE SET message = :message, page = :page""")
_OF = text("SELECT app, message, began_by, began_at FROM maintenances WHERE app = ANY(:apps)")
