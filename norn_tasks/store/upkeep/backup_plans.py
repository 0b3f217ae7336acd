"""Rows that say when backups and drills (test restores) of databases are due, and which jobs made the last ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.cron.expression import parse_schedule
from norn_tasks.store.database.columns import NOW
from norn_tasks.store.database.session import Tx
from norn_tasks.store.tables import BackupPlanRow as Plan

DRILL_DAYS = 7
"""The days from one drill to the next."""
Work = Literal["backup", "drill"]

_SCHEDULED = """
SELECT a.name AS app, a.written #> '{services,postgres,backup}' AS backup FROM apps a
  JOIN service_parts s ON s.app = a.name AND s.kind = 'postgres' AND s.made_at IS NOT NULL
   AND s.name = a.written #>> '{services,postgres,database}'
 WHERE a.written #> '{services,postgres,backup}' IS NOT NULL
   AND jsonb_typeof(a.written #> '{services,postgres,backup}') = 'object'"""
_NEW = text(f"INSERT INTO backup_plans(app, drill_at) SELECT app, 'epoch' FROM ({_SCHEDULED}) s ON CONFLICT DO NOTHING")  # noqa: S608 - a constant
_GONE = text(f"SELECT app FROM backup_plans WHERE app NOT IN (SELECT app FROM ({_SCHEDULED}) s)")  # noqa: S608 - a constant
_PLANS = text(f"""
SELECT p.*, s.backup, clock_timestamp() AS now, p.drill_at < clock_timestamp() - make_interval(days => :days) AS tired,
       EXISTS (SELECT 1 FROM snapshots n WHERE n.app = p.app AND n.reason = 'backup' AND n.bytes IS NOT NULL) AS backed
  FROM backup_plans p JOIN ({_SCHEDULED}) s ON s.app = p.app""")  # noqa: S608 - a constant


@dataclass(frozen=True)
class DueWork:
    """A backup or a drill that is due."""

    app: str
    """The app."""
    work: Work
    """Its kind."""
    last: datetime
    """The moment at which the previous backup or drill was requested."""


def due(tx: Tx) -> tuple[DueWork, ...]:
    """Updates the plans from the infraspecs, and returns the work that is due; several missed backups count as one.

    The first drill is due as soon as there is a backup.
    """
    tx.execute(_NEW)
    tx.execute(delete(Plan).where(Plan.app.in_(tx.scalars(_GONE).all())))
    found = list[DueWork]()
    for row in tx.execute(_PLANS, {"days": DRILL_DAYS}).mappings():
        if next_after(row["backup"], row["backup_at"]) <= row["now"]:
            found.append(DueWork(row["app"], "backup", row["backup_at"]))
        if row["tired"] and row["backed"]:
            found.append(DueWork(row["app"], "drill", row["drill_at"]))
    return tuple(found)


def next_after(backup: Mapping[str, Any], last: datetime) -> datetime:
    """Returns when the next backup after `last` is due."""
    return parse_schedule(str(backup["schedule"])).next_after(last, last)


def take(tx: Tx, due: DueWork) -> bool:
    """Returns True if this scheduler must request the work; False if another scheduler has done so."""
    at = Plan.backup_at if due.work == "backup" else Plan.drill_at
    taken = update(Plan).where(Plan.app == due.app, at == due.last).values({at.key: NOW}).returning(Plan.app)
    return tx.scalar(taken) is not None


def requested(tx: Tx, app: str, work: Work, job: int) -> None:
    """Records the job of a backup or a drill as the app's last one."""
    values = {f"{work}_at": NOW, f"{work}_job": job}
    row = insert(Plan).values(app=app, **values)
    tx.execute(row.on_conflict_do_update(index_elements=[Plan.app], set_=values))


@dataclass(frozen=True)
class BackupPlan:
    """The schedule of an app's backups, and the next one."""

    schedule: str
    """The schedule of its infraspec."""
    next_at: datetime
    """The moment at which the next backup is due."""


def planned(tx: Tx, apps: Collection[str]) -> Mapping[str, BackupPlan]:
    """Returns the plans of these apps; an app without a schedule has none."""
    rows = tx.execute(_PLANS, {"days": DRILL_DAYS}).mappings()
    return {
        row["app"]: BackupPlan(row["backup"]["schedule"], next_after(row["backup"], row["backup_at"]))
        for row in rows
        if row["app"] in apps
    }
