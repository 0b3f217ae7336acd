"""The cluster of an app: chosen at its first forge, and kept until the app is torn down or moved."""

from __future__ import annotations

from sqlalchemy import exists, select, update

from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.jobs.job import OPEN, JobState
from norn_tasks.domain.jobs.writes import AppMoved
from norn_tasks.store.database.session import ROUTES, Row, Tx, note
from norn_tasks.store.tables import AddressRow, AppRow, JobRow


def settle(tx: Tx, app: Row, role: Role, chosen: str) -> str | None:
    """Returns the cluster of an app that will be forged: `chosen` if nothing of the app exists yet, otherwise its
    present cluster.

    Returns None for a cron job or a function, because its containers run on engines and not in a cluster. The caller
    has locked the app's row.
    """
    if app["cluster"] is not None and role.long_running and not _has_nothing(tx, app):
        return str(app["cluster"])
    cluster = chosen if role.long_running else None
    tx.execute(update(AppRow).where(AppRow.name == app["name"]).values(cluster=cluster))
    return cluster


def _has_nothing(tx: Tx, app: Row) -> bool:
    """Returns true if the app is not forged and no job is about to change that."""
    changes = (JobRow.app == app["name"], JobRow.exclusive, JobRow.state.in_(OPEN))
    return app["forge_state"] == "unforged" and not tx.scalar(select(exists().where(*changes)))


def moved(tx: Tx, row: Row, write: AppMoved) -> None:
    """Records that the app has moved. Waiting changes of the app, except the move itself, then apply to its new
    cluster.
    """
    app = row["app"]
    before = of(tx, app)
    tx.execute(update(AppRow).where(AppRow.name == app).values(cluster=write.cluster))
    tx.execute(update(AddressRow).where(AddressRow.app == app).values(entrance=write.entrance))
    waiting = (JobRow.app == app, JobRow.state == JobState.QUEUED, JobRow.cluster == before)
    tx.execute(update(JobRow).where(*waiting).values(cluster=write.cluster))
    note(tx, ROUTES, app)


def of(tx: Tx, app: str) -> str | None:
    """Returns the cluster of the app; None before its first forge, and for a cron job or a function."""
    return tx.scalar(select(AppRow.cluster).where(AppRow.name == app))


def inhabited(tx: Tx) -> list[str]:
    """Returns the clusters that have at least one app, by name."""
    return list(
        tx.scalars(select(AppRow.cluster).where(AppRow.cluster.is_not(None)).distinct().order_by(AppRow.cluster))
    )
