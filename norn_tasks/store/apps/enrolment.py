"""Creates the row of an app when a request names the app, and checks that the app is forged."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.errors import NotForged
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.job import OPEN, JobKind
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.tables import AppRow, JobRow


def registered(spec: Infraspec) -> dict[str, Any]:
    """Returns the columns of an app's row that come from its registered infraspec, with their values."""
    return {"role": str(spec.role), "spec": spec.frozen(), "written": spec.to_json()}


def enrol(tx: Tx, spec: Infraspec, origin: str | None) -> Row:
    """Returns the app's row, locked until the transaction ends. With `origin` (the app's directory), creates or updates
    the row first.
    """
    if origin is not None:
        values = {**registered(spec), "source": "directory", "origin": origin}
        tx.execute(
            insert(AppRow)
            .values(name=spec.app, **values)
            .on_conflict_do_update(index_elements=["name"], set_={**values, "updated_at": text("clock_timestamp()")})
        )
    return locked(tx, spec.app)


def locked(tx: Tx, name: str) -> Row:
    """Returns the row of an app that has one, locked until the end of the transaction."""
    return tx.execute(select(AppRow).where(AppRow.name == name).with_for_update()).mappings().one()


def require_forged(tx: Tx, app: Row) -> None:
    """Raises NotForged unless the app is forged, or a forge of the app was accepted and has not ended."""
    if app["forge_state"] == "forged":
        return
    coming = select(JobRow.id).where(
        JobRow.app == app["name"], JobRow.kind == str(JobKind.FORGE), JobRow.state.in_(OPEN)
    )
    if tx.execute(coming.limit(1)).one_or_none() is None:
        failed = app["forge_state"] == "forge_failed"
        what = "could not be forged" if failed else "has no infrastructure yet"
        raise NotForged(f"{app['name']} {what}", hint=f"norn forge {app['name']}")
