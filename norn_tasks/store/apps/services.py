"""The parts of shared services that apps have: reserved before they are created, and kept until a purge."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.errors import ServiceDown, ServiceTaken
from norn_tasks.domain.services import Grant, GrantedPart, SeenDatabase, ServiceKind
from norn_tasks.store.apps import registry
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.pages import AnyRow, Reach
from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import AppRow
from norn_tasks.store.tables import ServicePartRow as Part


def reserve(tx: Tx, app: str, grants: Iterable[Grant]) -> None:
    """Reserves the parts for an app; raises ServiceTaken, which names the owner, for a part of another app.

    Raises ServiceDown for a topic that a purge of another app is removing; it can be reserved when the purge is done.
    """
    tx.execute(_ONE_AT_A_TIME)
    for grant in grants:
        for name in grant.names:
            row = insert(Part).values(kind=str(grant.kind), name=name, app=app)
            tx.execute(row.on_conflict_do_nothing())
            same = (Part.kind == str(grant.kind), Part.name == name)
            tx.execute(update(Part).where(*same, Part.app == app).values(leaving_at=None))
            if not grant.kind.shared:
                _require_own(tx, app, grant.kind, name)
            else:
                _require_kept(tx, app, grant.kind, name)


def _require_kept(tx: Tx, app: str, kind: ServiceKind, name: str) -> None:
    other = tx.scalar(_LEAVING, {"app": app, "kind": str(kind), "name": name})
    if other is not None:
        raise ServiceDown(
            f"services.{kind}.{kind.field}: {name} is being removed with {other}",
            hint=f"try again when that has ended; if it failed: norn teardown {other} --purge",
        )


def _require_own(tx: Tx, app: str, kind: ServiceKind, name: str) -> None:
    owner = tx.scalar(select(Part.app).where(Part.kind == str(kind), Part.name == name))
    if owner != app:
        raise ServiceTaken(
            f"services.{kind}.{kind.field}: {name} belongs to {owner}",
            hint=f"name another {kind.thing}; norn teardown {owner} --purge removes that one with its data",
        )


def made(tx: Tx, app: str, grant: Grant) -> None:
    """Records that the parts of a grant exist on their server."""
    same = (Part.app == app, Part.kind == str(grant.kind), Part.name.in_(grant.names), Part.made_at.is_(None))
    tx.execute(update(Part).where(*same).values(made_at=NOW))


def forget(tx: Tx, app: str, grant: Grant) -> None:
    """Deletes the rows of parts that no longer exist on their server."""
    tx.execute(delete(Part).where(Part.app == app, Part.kind == str(grant.kind), Part.name.in_(grant.names)))


def of_app(tx: Tx, app: str) -> tuple[GrantedPart, ...]:
    """Lists the parts of an app, including parts that its spec no longer names."""
    return listed(tx, frozenset({app}))


def listed(tx: Tx, within: Reach) -> tuple[GrantedPart, ...]:
    """Lists the parts of all apps that the caller may see."""
    part = (Part.app, Part.kind, Part.name, Part.at, Part.made_at, Part.bytes, Part.connections, Part.seen_at)
    query = select(*part, AppRow.written)
    query = query.outerjoin(AppRow, AppRow.name == Part.app).order_by(Part.app, Part.kind, Part.name)
    if within is not None:
        query = query.where(Part.app.in_(within))
    return tuple(
        GrantedPart(
            row.app, ServiceKind(row.kind), row.name, row.at, row.made_at is not None, _named(row), row.bytes,
            row.connections, row.seen_at,
        )
        for row in tx.execute(query)
    )  # fmt: skip


def _named(row: AnyRow) -> bool:
    grants = registry.spec_of(row.written).services.grants() if row.written is not None else ()
    return any(grant.kind == row.kind and row.name in grant.names for grant in grants)


_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('norn-service-parts'))")
_LEAVE = text("UPDATE service_parts SET leaving_at = clock_timestamp() WHERE app = :app AND kind = :kind")
_ALONE = text("""
SELECT name FROM service_parts p WHERE app = :app AND kind = :kind AND NOT EXISTS (
  SELECT 1 FROM service_parts o
   WHERE o.kind = p.kind AND o.name = p.name AND o.app <> p.app AND o.leaving_at IS NULL)
 ORDER BY name""")
_LEAVING = text("""
SELECT min(app) FROM service_parts WHERE kind = :kind AND name = :name AND app <> :app
HAVING bool_and(leaving_at IS NOT NULL)""")
"""The name of an app that is giving up a part, if every other app that has the part is giving it up too."""


def leave(tx: Tx, app: str, kind: ServiceKind) -> tuple[str, ...]:
    """Marks the app's parts of this kind as given up, and returns the ones that no other app uses.

    No app can reserve the returned parts before their rows are deleted.
    """
    tx.execute(_ONE_AT_A_TIME)
    tx.execute(_LEAVE, {"app": app, "kind": str(kind)})
    return tuple(tx.execute(_ALONE, {"app": app, "kind": str(kind)}).scalars())


def databases(tx: Tx) -> tuple[str, ...]:
    """Lists the databases that were made for apps."""
    made = select(Part.name).where(Part.kind == str(ServiceKind.POSTGRES), Part.made_at.is_not(None))
    return tuple(tx.scalars(made.order_by(Part.name)))


def seen(tx: Tx, databases: Iterable[SeenDatabase]) -> None:
    """Records the size and the number of connections of these databases."""
    for each in databases:
        same = (Part.kind == str(ServiceKind.POSTGRES), Part.name == each.name)
        values = {"bytes": each.bytes, "connections": each.connections, "seen_at": NOW}
        tx.execute(update(Part).where(*same).values(values))
