"""Alerts as rows. Each alert is raised once and resolved once; the same statement writes the event and the
deliveries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, select, text

from norn_tasks.domain.alerting.alert import CRITICAL, AlertRule, NewAlert, Severity, severity_of
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.store import tables as t
from norn_tasks.store.database.pages import AnySelect, Cut, Page, Reach, equal, newest_first, value, within
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import EVENTS, Tx
from norn_tasks.store.events.publishing import notify


@dataclass(frozen=True)
class Alert:
    """An alert as its readers see it; open while `resolved_at` is None."""

    id: int
    kind: str
    app: str
    sentence: str
    hint: str
    raised_at: datetime
    resolved_at: datetime | None
    resolution: str | None

    @property
    def severity(self) -> Severity:
        """The severity of its kind."""
        return severity_of(self.kind)


_COLUMNS = (
    t.AlertRow.id, t.AlertRow.kind, t.AlertRow.app, t.AlertRow.sentence, t.AlertRow.hint, t.AlertRow.raised_at,
    t.AlertRow.resolved_at, t.AlertRow.resolution,
)  # fmt: skip


# This part of a statement writes the event and the deliveries of each changed alert: `report` describes the alert;
# `event` and `at` describe the change.
_REPORT = """,
stamped AS (SELECT a.*, CAST(:event AS text) AS event, jsonb_build_object(
    'alert', a.id, 'kind', a.kind, 'sentence', a.sentence, 'hint', a.hint, 'resolution', a.resolution, 'severity',
    CASE WHEN a.kind = ANY(:critical) THEN 'critical' ELSE 'warning' END) AS report
  FROM changed a),
events AS (INSERT INTO events(kind, app, data) SELECT event, app, report FROM stamped),
deliveries AS (
  INSERT INTO deliveries(destination, subject, event, app, body)
  SELECT d.id, event || '-' || s.id, event, app,
         report || jsonb_build_object('event', event, 'app', app, 'since', s.raised_at,
                                      'at', coalesce(s.resolved_at, s.raised_at))
    FROM stamped s JOIN destinations d
      ON (d.apps IS NULL OR s.app = ANY(d.apps)) AND (d.kinds IS NULL OR s.kind = ANY(d.kinds))
     AND (d.severity = 'warning' OR s.kind = ANY(:critical))
  ON CONFLICT DO NOTHING)
SELECT count(*) AS changed FROM stamped"""

_RAISE = text(f"""
WITH given AS (
  SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:kinds AS text[]), CAST(:apps AS text[]), CAST(:sentences AS text[]),
    CAST(:hints AS text[]), CAST(:ticks AS bigint[])) AS g(key, kind, app, sentence, hint, tick)),
written AS (
  INSERT INTO alerts(rule, key, kind, app, sentence, hint, tick)
  SELECT CAST(:rule AS text), key, kind, app, sentence, hint, tick FROM given
  ON CONFLICT (rule, key) WHERE resolved_at IS NULL DO UPDATE
     SET sentence = excluded.sentence, hint = excluded.hint, tick = greatest(alerts.tick, excluded.tick)
  RETURNING alerts.*, xmax = 0 AS opened),
changed AS (SELECT * FROM written WHERE opened){_REPORT}""")  # noqa: S608 - built from constants

_RESOLVE = text(f"""
WITH given AS (
  SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:resolutions AS text[])) AS g(key, resolution)),
changed AS (
  UPDATE alerts a SET resolved_at = clock_timestamp(), resolution = given.resolution FROM given
   WHERE a.rule = :rule AND a.key = given.key AND a.resolved_at IS NULL RETURNING a.*){_REPORT}""")  # noqa: S608 - built from constants


def raise_alerts(tx: Tx, rule: AlertRule, new: Sequence[NewAlert]) -> None:
    """Raises alerts of a rule, each with its event and deliveries; an alert that is already open is only updated.

    No two alerts in `new` may have the same key.
    """
    if not new:
        return
    given: dict[str, list[Any]] = {
        "keys": [one.key for one in new], "kinds": [str(one.kind) for one in new], "apps": [one.app for one in new],
        "sentences": [one.sentence for one in new], "hints": [one.hint for one in new],
        "ticks": [one.tick for one in new],
    }  # fmt: skip
    _report(tx, _RAISE, {"rule": str(rule), **given}, EventKind.ALERT_RAISED)


def resolve(tx: Tx, rule: AlertRule, ended: Mapping[str, str]) -> None:
    """Resolves the rule's open alerts with these keys, each with its resolution, an event and deliveries."""
    if ended:
        given = {"rule": str(rule), "keys": list(ended), "resolutions": list(ended.values())}
        _report(tx, _RESOLVE, given, EventKind.ALERT_RESOLVED)


_ANY_OPEN = Prepared("SELECT EXISTS (SELECT FROM alerts WHERE rule = CAST(:rule AS text) AND resolved_at IS NULL)")


def any_open(tx: Tx, rule: AlertRule) -> bool:
    """Returns True if an alert of the rule is open; otherwise the rule need not search for alerts to resolve."""
    return bool(run(tx, _ANY_OPEN, {"rule": str(rule)}).scalar())


def _report(tx: Tx, statement: TextClause, given: dict[str, Any], event: EventKind) -> None:
    if tx.execute(statement, {**given, "event": str(event), "critical": list(CRITICAL)}).scalar_one():
        notify(tx, EVENTS)


# Reading


def _alerts() -> AnySelect:
    return select(*_COLUMNS)


def listed(
    tx: Tx, *, app: str | None = None, kind: str | None = None, also_resolved: bool, reach: Reach, cut: Cut
) -> Page[Alert]:
    """Lists alerts, newest first: the open ones, and with `also_resolved` the resolved ones too."""
    a = t.AlertRow
    wanted = [*equal(app=(a.app, app), kind=(a.kind, kind)), *within(a.app, reach)]
    if not also_resolved:
        wanted.append(a.resolved_at.is_(None))
    return newest_first(tx, _alerts().where(*wanted), a.id, Alert, cut)


def open_of(tx: Tx, apps: tuple[str, ...]) -> dict[str, tuple[Alert, ...]]:
    """Returns the open alerts of these apps by app, oldest first; an app without an open alert is left out."""
    a, found = t.AlertRow, dict[str, tuple[Alert, ...]]()
    for row in tx.execute(_alerts().where(a.resolved_at.is_(None), a.app.in_(apps)).order_by(a.id)):
        found[row.app] = (*found.get(row.app, ()), value(Alert, row))
    return found


def count_open(tx: Tx) -> int:
    """Counts the open alerts."""
    return int(tx.scalar(text("SELECT count(*) FROM alerts WHERE resolved_at IS NULL")) or 0)
