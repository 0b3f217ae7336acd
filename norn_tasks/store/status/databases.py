"""The databases of apps for `norn db list` and the web page: size, connections, backups and drills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from norn_tasks.domain.services import ServiceKind, SnapshotReason
from norn_tasks.store.apps import services
from norn_tasks.store.database.pages import Reach
from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import SnapshotRow
from norn_tasks.store.upkeep import backup_plans


@dataclass(frozen=True)
class DatabaseView:
    """A database of an app; the fields about backups are None if the database is not backed up."""

    app: str
    name: str
    bytes: int | None
    connections: int | None
    seen_at: datetime | None
    named: bool
    schedule: str | None
    next_backup: datetime | None
    last_backup: datetime | None
    drilled_at: datetime | None


def listed(tx: Tx, within: Reach) -> tuple[DatabaseView, ...]:
    """Lists the databases of the apps that the caller may see."""
    parts = [part for part in services.listed(tx, within) if part.kind is ServiceKind.POSTGRES and part.made]
    plans, backups = backup_plans.planned(tx, {part.app for part in parts}), _backups(tx)
    found = list[DatabaseView]()
    for part in parts:
        plan = plans.get(part.app) if part.named else None
        last, drilled = backups.get(part.name, (None, None))
        found.append(
            DatabaseView(
                part.app, part.name, part.bytes, part.connections, part.seen_at, part.named,
                plan.schedule if plan else None, plan.next_at if plan else None, last, drilled,
            )
        )  # fmt: skip
    return tuple(found)


def _backups(tx: Tx) -> dict[str, tuple[datetime | None, datetime | None]]:
    """Returns, for each database, the moments of the newest complete backup and of the last drill."""
    row = SnapshotRow
    whole = (row.reason == str(SnapshotReason.BACKUP), row.bytes.is_not(None))
    query = select(row.database, func.max(row.at).label("at"), func.max(row.drilled_at).label("drilled_at"))
    return {
        each.database: (each.at, each.drilled_at) for each in tx.execute(query.where(*whole).group_by(row.database))
    }
