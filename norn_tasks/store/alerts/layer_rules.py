"""The alert rule for writable layers: an alert about an app that writes much outside of its volumes.

No engine limits how much a replica writes into its own container, so one app could fill the disk that all apps share.
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.alerting.alert import AlertKind, AlertRule, NewAlert
from norn_tasks.domain.quantities import memory_text
from norn_tasks.store.alerts.alerts import raise_alerts, resolve
from norn_tasks.store.database.pages import AnyRow
from norn_tasks.store.database.session import Database

BATCH = 500
"""The most alerts that one statement changes; the next call of `look` continues."""

_LARGE = """
SELECT w.app, max(CAST(r.usage ->> 'written' AS bigint)) AS written
  FROM workload_status w CROSS JOIN LATERAL jsonb_to_recordset(w.replicas) AS r(usage jsonb)
 WHERE CAST(r.usage ->> 'written' AS bigint) > :most GROUP BY w.app"""
_RAISED = text(f"{_LARGE} ORDER BY w.app LIMIT {BATCH}")
_RESOLVED = text(f"""
SELECT a.key FROM alerts a
 WHERE a.rule = '{AlertRule.APP}' AND a.kind = '{AlertKind.LAYER_LARGE}' AND a.resolved_at IS NULL
   AND a.app NOT IN (SELECT app FROM ({_LARGE}) large) LIMIT {BATCH}""")  # noqa: S608 - built from constants


def look(database: Database, most: int) -> None:
    """Raises an alert for each app that has a replica with more than `most` written bytes; resolves the alerts of all
    other apps.
    """
    with database.transaction() as tx:
        if not tx.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('norn-layer-alerts'))")):
            return
        smaller = tx.scalars(_RESOLVED, {"most": most})
        resolve(tx, AlertRule.APP, dict.fromkeys(smaller, "no container of the app has written that much any longer"))
        raise_alerts(tx, AlertRule.APP, [_large(row) for row in tx.execute(_RAISED, {"most": most})])


def _large(row: AnyRow) -> NewAlert:
    sentence = f"a replica of {row.app} has written {memory_text(row.written)} outside of its volumes, without a limit"
    hint = f"let it write into a volume, or delete old files; norn restart {row.app} begins with an empty layer"
    return NewAlert(AlertKind.LAYER_LARGE, row.app, sentence, hint)
