"""Snapshots of the databases of apps, as rows: each row is written before its file, and names the file."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.services import Snapshot, SnapshotReason
from norn_tasks.store.database.pages import AnyRow, Reach
from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import JobRow
from norn_tasks.store.tables import SnapshotRow as Row


def reserve(tx: Tx, app: str, database: str, reason: SnapshotReason, fence: Fence) -> Snapshot:
    """Returns the snapshot that a job takes for this reason; a job that was taken over keeps its first one."""
    same = (Row.job_id == fence.job, Row.reason == str(reason))
    found = tx.scalar(select(Row.id).where(*same))
    if found is None:
        release = tx.scalar(select(JobRow.release).where(JobRow.id == fence.job))
        values = {"app": app, "database": database, "reason": str(reason), "job_id": fence.job, "release": release}
        found = tx.execute(insert(Row).values(values).returning(Row.id)).scalar_one()
    return one(tx, found)


def taken(tx: Tx, snapshot: int, size: int) -> None:
    """Notes that its file is whole."""
    tx.execute(update(Row).where(Row.id == snapshot).values(bytes=size))


def forget(tx: Tx, snapshot: int) -> None:
    """Removes the row of a snapshot whose file is gone."""
    tx.execute(delete(Row).where(Row.id == snapshot))


_COLUMNS = (Row.id, Row.app, Row.database, Row.reason, Row.release, Row.at, Row.bytes)


def one(tx: Tx, snapshot: int) -> Snapshot:
    """Returns a snapshot that exists."""
    return _value(tx.execute(select(*_COLUMNS).where(Row.id == snapshot)).one())


def listed(tx: Tx, within: Reach) -> tuple[Snapshot, ...]:
    """Lists the snapshots of the apps that the caller may see, newest first."""
    query = select(*_COLUMNS).order_by(Row.id.desc())
    if within is not None:
        query = query.where(Row.app.in_(within))
    return tuple(map(_value, tx.execute(query)))


def spent(tx: Tx, app: str, retain: int) -> tuple[Snapshot, ...]:
    """Returns the snapshots of deploys that are older than the newest `retain` whole ones.

    One that never became whole is spent as soon as a later one is whole.
    """
    ours = [each for each in listed(tx, frozenset({app})) if each.reason is SnapshotReason.DEPLOY]
    whole = [each.id for each in ours if each.bytes is not None]
    return tuple(each for each in ours if whole and each.id < whole[0] and each.id not in whole[:retain])


def _value(row: AnyRow) -> Snapshot:
    reason = SnapshotReason(row.reason)
    return Snapshot(row.id, row.app, row.database, reason, row.release, row.at, row.bytes)
