"""The alert rules for backups: an alert is open while the last backup or the last drill (test restore) of an app's
database has failed.

`store.upkeep.backup_plans` records these jobs. A cancelled job neither raises nor resolves an alert.
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.alerting.alert import AlertKind, AlertRule, NewAlert
from norn_tasks.store.alerts.alerts import any_open, raise_alerts, resolve
from norn_tasks.store.database.pages import AnyRow
from norn_tasks.store.database.session import Database

BATCH = 500
"""The most alerts that one call of `look` changes; the next call continues."""
_BAD = "j.state IN ('failed', 'error', 'dead', 'expired')"
_LAST = f"""(
  SELECT app, backup_job AS job, '{AlertKind.BACKUP_FAILED}' AS kind FROM backup_plans
  UNION ALL SELECT app, drill_job, '{AlertKind.DRILL_FAILED}' FROM backup_plans) p"""  # noqa: S608 - built from constants
_FAILED = text(f"""
SELECT p.app, p.kind, j.id, j.error ->> 'sentence' AS sentence FROM {_LAST} JOIN jobs j ON j.id = p.job
 WHERE {_BAD} AND NOT EXISTS (
   SELECT 1 FROM alerts a WHERE a.rule = '{AlertRule.BACKUP}' AND a.key = p.kind || ':' || p.app AND a.tick >= j.id)
 LIMIT {BATCH}""")  # noqa: S608 - built from constants
_OVER = text(f"""
SELECT a.key, CASE WHEN p.app IS NULL THEN 'its database is not backed up' ELSE 'job ' || j.id || ' succeeded' END
       AS because
  FROM alerts a LEFT JOIN {_LAST} ON p.app = a.app AND p.kind = a.kind LEFT JOIN jobs j ON j.id = p.job
 WHERE a.rule = '{AlertRule.BACKUP}' AND a.resolved_at IS NULL
   AND (p.app IS NULL OR (j.state = 'succeeded' AND j.id > a.tick)) LIMIT {BATCH}""")  # noqa: S608 - built from constants


def look(database: Database) -> None:
    """Raises and resolves the alerts of all apps; does nothing if another scheduler is doing so."""
    with database.transaction() as tx:
        if not tx.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('norn-backup-alerts'))")):
            return
        if any_open(tx, AlertRule.BACKUP):
            resolve(tx, AlertRule.BACKUP, {row.key: row.because for row in tx.execute(_OVER)})
        raise_alerts(tx, AlertRule.BACKUP, [_failed(row) for row in tx.execute(_FAILED)])


def _failed(row: AnyRow) -> NewAlert:
    what = "the last backup" if row.kind == AlertKind.BACKUP_FAILED else "the drill of the newest backup"
    sentence = f"{what} of {row.app} failed: {row.sentence or 'it ended without a reason'}"
    return NewAlert(AlertKind(row.kind), row.app, sentence, f"norn jobs show {row.id}", tick=row.id)
