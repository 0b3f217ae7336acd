"""Snapshots of the databases of apps, as rows: each row is written before its file, and names the file."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from norn_tasks.domain.errors import Conflict, NotFound
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.services import Dump, Snapshot, SnapshotReason
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.pages import AnyRow, Reach
from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import JobRow
from norn_tasks.store.tables import SnapshotRow as Row


def reserve(tx: Tx, app: str, database: str, reason: SnapshotReason, fence: Fence) -> Snapshot:
    """Returns the snapshot that a job takes for this reason; a later worker of the same job gets the same snapshot."""
    same = (Row.job_id == fence.job, Row.reason == str(reason))
    found = tx.scalar(select(Row.id).where(*same))
    if found is None:
        release = tx.scalar(select(JobRow.release).where(JobRow.id == fence.job))
        values = {"app": app, "database": database, "reason": str(reason), "job_id": fence.job, "release": release}
        found = tx.execute(insert(Row).values(values).returning(Row.id)).scalar_one()
    return one(tx, found)


def taken(tx: Tx, snapshot: int, dump: Dump) -> None:
    """Records that the file of a snapshot is complete."""
    tx.execute(update(Row).where(Row.id == snapshot).values(bytes=dump.bytes, counts=dict(dump.counts)))


def drilled(tx: Tx, snapshot: int) -> None:
    """Records that a drill has restored the snapshot."""
    tx.execute(update(Row).where(Row.id == snapshot).values(drilled_at=NOW))


def forget(tx: Tx, snapshot: int) -> None:
    """Deletes the row of a snapshot that no longer has a file."""
    tx.execute(delete(Row).where(Row.id == snapshot))


_COLUMNS = (Row.id, Row.app, Row.database, Row.reason, Row.release, Row.at, Row.bytes, Row.counts, Row.drilled_at)


def one(tx: Tx, snapshot: int) -> Snapshot:
    """Returns a snapshot, which must exist."""
    return _value(tx.execute(select(*_COLUMNS).where(Row.id == snapshot)).one())


def listed(tx: Tx, within: Reach) -> tuple[Snapshot, ...]:
    """Lists the snapshots of the apps that the caller may see, newest first."""
    query = select(*_COLUMNS).order_by(Row.id.desc())
    if within is not None:
        query = query.where(Row.app.in_(within))
    return tuple(map(_value, tx.execute(query)))


def whole(tx: Tx, app: str, snapshot: int) -> Snapshot:
    """Returns a snapshot of an app; raises NotFound if there is none, Conflict if it was never completed."""
    row = tx.execute(select(*_COLUMNS).where(Row.id == snapshot, Row.app == app)).one_or_none()
    if row is None:
        raise NotFound(f"{app} has no snapshot {snapshot}", hint=f"norn db snapshots {app} lists them")
    if row.bytes is None:
        raise Conflict(f"snapshot {snapshot} of {app} is not complete", hint=f"norn db snapshots {app} lists others")
    return _value(row)


def newest_backup(tx: Tx, app: str) -> Snapshot | None:
    """Returns the newest complete backup of an app."""
    of_app = select(*_COLUMNS).where(Row.app == app, Row.reason == str(SnapshotReason.BACKUP), Row.bytes.is_not(None))
    row = tx.execute(of_app.order_by(Row.id.desc()).limit(1)).one_or_none()
    return None if row is None else _value(row)


def spent(tx: Tx, app: str, reason: SnapshotReason, retain: int) -> tuple[Snapshot, ...]:
    """Returns the snapshots that were taken for this reason and are older than the newest `retain` complete ones.

    A snapshot that was never completed is returned too, as soon as a later one is complete.
    """
    ours = [each for each in listed(tx, frozenset({app})) if each.reason is reason]
    whole = [each.id for each in ours if each.bytes is not None]
    return tuple(each for each in ours if whole and each.id < whole[0] and each.id not in whole[:retain])


def _value(row: AnyRow) -> Snapshot:
    reason = SnapshotReason(row.reason)
    return Snapshot(row.id, row.app, row.database, reason, row.release, row.at, row.bytes, row.counts, row.drilled_at)
