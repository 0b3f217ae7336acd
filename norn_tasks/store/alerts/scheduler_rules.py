"""The alert about a time without a scheduler: one alert for the server, no matter how many apps missed occurrences.

An app gets an alert of its own only for occurrences that were decided more than a minute late (`cron_rules`).
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.alerting.alert import AlertKind, AlertRule, NewAlert, key
from norn_tasks.domain.schedule import NOBODY_DECIDED
from norn_tasks.domain.wording import log_of
from norn_tasks.store.alerts.alerts import raise_alerts, resolve
from norn_tasks.store.database.pages import AnyRow
from norn_tasks.store.database.session import Database

_KEY = key(AlertKind.SCHEDULER_AWAY, "")
QUIET = 60
"""The alert is resolved after this many seconds without a missed occurrence, because then a scheduler is
running again.
"""
_AWAY = text(f"""
WITH known AS (
  SELECT max(tick) FILTER (WHERE resolved_at IS NULL) AS open,
         coalesce(max(tick) FILTER (WHERE resolved_at IS NOT NULL), 0) AS over
    FROM alerts WHERE rule = '{AlertRule.SERVER}' AND kind = '{AlertKind.SCHEDULER_AWAY}')
SELECT known.open, k.*, k.decided < clock_timestamp() - make_interval(secs => {QUIET}) AS quiet
  FROM known, LATERAL (
    SELECT count(DISTINCT app) AS apps, sum(how_many)::bigint AS how_many, min(scheduled_for) AS first,
           max(coalesce(until, scheduled_for)) AS last, max(decided_at) AS decided, max(id) AS tick
      FROM cron_ticks t
     WHERE verdict = 'missed' AND reason = :reason AND decided_at > clock_timestamp() - interval '1 hour'
       AND id > known.over AND NOT EXISTS (SELECT 1 FROM cron_gaps g WHERE g.app = t.app)) k""")  # noqa: S608 - built from constants


def look(database: Database) -> None:
    """Raises the alert if no scheduler was running, and resolves it when nothing was missed for a minute."""
    with database.transaction() as tx:
        if not tx.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('norn-scheduler-alerts'))")):
            return
        row = tx.execute(_AWAY, {"reason": NOBODY_DECIDED}).one()
        if row.open is not None and (row.tick is None or (row.tick == row.open and row.quiet)):
            resolve(tx, AlertRule.SERVER, {_KEY: "every occurrence since then was decided when it was due"})
        elif row.tick is not None and row.tick != row.open:
            sentence, hint = _sentence(row), f"norn health; {log_of('beat')}"
            raise_alerts(tx, AlertRule.SERVER, [NewAlert(AlertKind.SCHEDULER_AWAY, "", sentence, hint, tick=row.tick)])


def _sentence(row: AnyRow) -> str:
    begin, end = f"{row.first:%Y-%m-%d %H:%M:%S}", f"{row.last:%Y-%m-%d %H:%M:%S}"
    when = f"at {begin}" if begin == end else f"between {begin} and {end}"
    apps = "1 app" if row.apps == 1 else f"{row.apps} apps"
    missed = "1 occurrence" if row.how_many == 1 else f"{row.how_many} occurrences"
    return f"no scheduler was running {when} UTC: {apps} missed {missed}"
