"""The alert rule for certificates at the edge: an alert is raised before a certificate expires, if it was not renewed
in time.

Caddy renews a certificate when a third of its lifetime is left. The alert is raised when a fifth is left; for a
lifetime of 90 days, that is 18 days before the end.
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.alerting.alert import AlertKind, AlertRule, NewAlert
from norn_tasks.store.alerts.alerts import raise_alerts, resolve
from norn_tasks.store.database.pages import AnyRow
from norn_tasks.store.database.session import Database

BATCH = 500

_ENDING = """
NOT h.leaving AND h.valid_until IS NOT NULL
AND h.valid_until - clock_timestamp() < (h.valid_until - h.valid_from) / 5"""
_LATE = text(f"SELECT h.app, h.host, h.valid_until, h.reason FROM external_hosts h WHERE {_ENDING} LIMIT {BATCH}")  # noqa: S608 - a constant
_RENEWED = text(f"""
SELECT a.key, coalesce('it is valid until ' || to_char((SELECT max(h.valid_until) FROM external_hosts h
       WHERE h.app = a.app AND NOT h.leaving) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 'the name is no longer served')
       AS because
  FROM alerts a
 WHERE a.rule = '{AlertRule.APP}' AND a.kind = '{AlertKind.CERTIFICATE_ENDS}' AND a.resolved_at IS NULL
   AND NOT EXISTS (SELECT 1 FROM external_hosts h WHERE h.app = a.app AND {_ENDING}) LIMIT {BATCH}""")  # noqa: S608 - built from constants


def look(database: Database) -> None:
    """Raises and resolves the alerts of certificates; does nothing if another scheduler is doing so."""
    with database.transaction() as tx:
        if not tx.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('norn-certificate-alerts'))")):
            return
        resolve(tx, AlertRule.APP, {row.key: row.because for row in tx.execute(_RENEWED)})
        raise_alerts(tx, AlertRule.APP, [_late(row) for row in tx.execute(_LATE)])


def _late(row: AnyRow) -> NewAlert:
    why = f": {row.reason}" if row.reason else ""
    sentence = f"the certificate of {row.host} ends at {row.valid_until:%Y-%m-%d %H:%M} UTC and was not renewed{why}"
    return NewAlert(AlertKind.CERTIFICATE_ENDS, row.app, sentence, f"norn forge {row.app}; norn logs --server edge")
