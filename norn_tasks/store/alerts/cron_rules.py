"""The alert rule for cron apps: raises and resolves their alerts at the end of a run, and by reading the ledger
regularly.

A run that failed raises its alert in the transaction that ends it; the end of a successful run changes no alert. Every
few seconds, one scheduler reads the rows of all apps. It finds recoveries, and problems that no single event shows
(occurrences that no worker began, or a pause that lasts too long). Alerts of other rules are never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text

from norn_tasks.domain.alerting.alert import AlertKind, AlertRule, FailureRule, NewAlert, failure_rule
from norn_tasks.domain.errors import NornError
from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.domain.jobs.requests import CronRunJobRequest
from norn_tasks.domain.jobs.writes import ImagesSeen
from norn_tasks.domain.schedule import NOBODY_DECIDED, ON_TIME, RunTrigger
from norn_tasks.store.alerts.alerts import any_open, raise_alerts, resolve
from norn_tasks.store.database.pages import AnyRow
from norn_tasks.store.database.session import Database, Row, Tx
from norn_tasks.store.rules.lists import OPEN_RUN_STATES

BATCH = 500
"""The most alerts that one statement changes; the next call of `look` continues."""
_DID_NOT_FAIL = (JobState.SUCCEEDED, JobState.CANCELLED, JobState.SUPERSEDED)
_IMAGE_GONE = "release_gone"


# The end of a run


def run_ended(tx: Tx, row: Row, state: JobState, problem: Problem | None) -> None:
    """Raises an alert if the cron run of the job of `row` failed.

    A manual run raises no alert, because its caller sees the failure. A cancelled run has not failed.
    """
    if state not in _DID_NOT_FAIL and CronRunJobRequest.from_json(row["args"]).trigger is not RunTrigger.MANUAL:
        cause = problem or Problem(str(state), f"its job ended {state}")
        if state is JobState.EXPIRED:
            _too_late(tx, row, cause)
        else:
            _failed(tx, row, cause)


_TICK = """SELECT k.id, k.scheduled_for FROM cron_executions x
  JOIN cron_ticks k ON k.app = x.app AND k.scheduled_for = x.scheduled_for WHERE x.id = :execution"""


def _too_late(tx: Tx, row: Row, problem: Problem) -> None:
    """Raises the alert about an occurrence whose run no worker began in time; this may be up to a day after the
    occurrence.
    """
    tick = tx.execute(text(_TICK), {"execution": row["execution"]}).one_or_none()
    if tick is not None:
        sentence = f"{_missed(row['app'], 1, tick.scheduled_for, tick.scheduled_for)}: {problem.sentence}"
        raise_alerts(
            tx, AlertRule.CRON, [NewAlert(AlertKind.RUNS_MISSED, row["app"], sentence, problem.hint, tick=tick.id)]
        )


def _failed(tx: Tx, row: Row, problem: Problem) -> None:
    app, run = row["app"], f"norn cron logs {row['app']} {row['execution']}"
    if problem.code == _IMAGE_GONE:
        raise_alerts(
            tx,
            AlertRule.CRON,
            [NewAlert(AlertKind.IMAGE_GONE, app, f"{app} cannot run: {problem.sentence}", problem.hint)],
        )
        return
    rule = failure_rule(row["spec"])
    if rule.threshold == 1:
        sentence = f"run {row['execution']} of {app} failed: {problem.sentence}"
    elif _failures(tx, app, rule) >= rule.threshold:
        sentence = f"{rule.threshold} runs of {app} failed within {rule.window} s, the last one: {problem.sentence}"
    else:
        return
    raise_alerts(tx, AlertRule.CRON, [NewAlert(AlertKind.RUNS_FAILING, app, sentence, run)])


_FAILURES = f"""SELECT count(*) FROM (SELECT 1 FROM cron_executions
 WHERE app = :app AND state NOT IN {OPEN_RUN_STATES} AND state NOT IN ('succeeded', 'cancelled') AND trigger <> 'manual'
   AND finished_at > clock_timestamp() - make_interval(secs => :window) ORDER BY id DESC LIMIT :threshold) f"""  # noqa: S608 - built from a constant


def _failures(tx: Tx, app: str, rule: FailureRule) -> int:
    bound = {"app": app, "window": rule.window, "threshold": rule.threshold}
    return int(tx.scalar(text(_FAILURES), bound) or 0)


# Schedules that the scheduler cannot read


def unreadable(tx: Tx, found: Mapping[str, NornError]) -> None:
    """Raises an alert for each schedule that can no longer be read, such as one in an unknown time zone."""
    raise_alerts(tx, AlertRule.CRON, [
        NewAlert(AlertKind.SCHEDULE_UNREADABLE, app, f"{app} is not scheduled: {error.sentence}",
                 f"norn cron set-schedule {app}, or correct its infraspec.yaml and norn forge {app}")
        for app, error in found.items()
    ])  # fmt: skip


# Problems that no single event shows


def look(database: Database, paused_days: float) -> None:
    """Raises and resolves the alerts that only a reading of the ledger finds; does nothing if another scheduler is
    doing so.

    Old alerts are resolved before new ones are raised, so that a new alert stays open until the next call, and readers
    can see it.
    """
    with database.transaction() as tx:
        if not tx.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('norn-alerts'))")):
            return
        resolving = (_RECOVERED, _FIRES_AGAIN, _RESUMED, _READ_AGAIN, _REMOVED) if any_open(tx, AlertRule.CRON) else ()
        for over in resolving:
            resolve(tx, AlertRule.CRON, {row.key: row.because for row in tx.execute(text(f"{over} LIMIT {BATCH}"))})
        raise_alerts(tx, AlertRule.CRON, [_missing(row) for row in tx.execute(text(_MISSED), _SHORT_ABSENCE).all()])
        paused = tx.execute(text(_PAUSED), {"seconds": paused_days * 86400}).all()
        raise_alerts(tx, AlertRule.CRON, [_paused(row) for row in paused])


_OPEN = f"a.rule = '{AlertRule.CRON}' AND a.resolved_at IS NULL"
_RECOVERED = f"""
SELECT a.key, 'run ' || x.id || ' succeeded' AS because FROM alerts a, LATERAL (
  SELECT r.id, r.state, r.finished_at FROM (
    SELECT id, state, finished_at FROM cron_executions WHERE app = a.app ORDER BY id DESC LIMIT 32) r
   WHERE r.state NOT IN {OPEN_RUN_STATES} AND r.state <> 'cancelled'
   ORDER BY r.finished_at DESC NULLS LAST LIMIT 1) x
 WHERE a.kind IN ('runs-failing', 'image-gone') AND {_OPEN} AND x.state = 'succeeded'
   AND x.finished_at > a.raised_at"""  # noqa: S608 - built from a constant
_FIRES_AGAIN = f"""
SELECT a.key, 'its schedule fires again' AS because FROM alerts a LEFT JOIN cron_ticks k ON k.id = a.tick
 WHERE a.kind = 'runs-missed' AND {_OPEN} AND (k.id IS NULL OR EXISTS (
   SELECT 1 FROM cron_ticks f JOIN cron_executions x ON x.id = f.execution
    WHERE f.app = a.app AND f.verdict IN ('fired', 'caught_up') AND x.begun_at IS NOT NULL
      AND f.scheduled_for > coalesce(k.until, k.scheduled_for)))"""  # noqa: S608 - built from a constant
_RESUMED = f"""
SELECT a.key, 'its schedule was resumed' AS because FROM alerts a JOIN cron_states s ON s.app = a.app
 WHERE a.kind = 'paused-long' AND {_OPEN} AND s.paused_at IS NULL"""  # noqa: S608 - built from a constant
_READ_AGAIN = f"""
SELECT a.key, 'its schedule can be read again' AS because FROM alerts a JOIN cron_states s ON s.app = a.app
 WHERE a.kind = 'schedule-unreadable' AND {_OPEN} AND s.decided_until > a.raised_at"""  # noqa: S608 - likewise
_REMOVED = f"""
SELECT a.key, 'it no longer has a schedule' AS because FROM alerts a
 WHERE {_OPEN} AND NOT EXISTS (SELECT 1 FROM cron_states s WHERE s.app = a.app)"""  # noqa: S608 - built from a constant

_SHORT_ABSENCE = {"reason": NOBODY_DECIDED, "on_time": ON_TIME.total_seconds()}
"""The values with which `_MISSED` leaves out occurrences that were missed while the scheduler was absent for at most a
minute: `scheduler_rules` reports those.
"""
_MISSED = f"""
SELECT k.app, sum(k.how_many)::bigint AS how_many, min(k.scheduled_for) AS first,
       max(coalesce(k.until, k.scheduled_for)) AS last, max(k.id) AS tick
  FROM cron_ticks k
  LEFT JOIN (SELECT app, max(tick) AS tick FROM alerts WHERE rule = '{AlertRule.CRON}' AND kind = 'runs-missed'
              GROUP BY app) a ON a.app = k.app
 WHERE k.verdict = 'missed' AND k.decided_at > clock_timestamp() - interval '1 hour' AND k.id > coalesce(a.tick, 0)
   AND NOT (k.reason = :reason AND k.decided_at - k.scheduled_for <= make_interval(secs => :on_time))
   AND NOT EXISTS (SELECT 1 FROM cron_gaps g WHERE g.app = k.app)
 GROUP BY k.app LIMIT {BATCH}"""  # noqa: S608 - built from a constant


def _missing(row: AnyRow) -> NewAlert:
    """Returns the alert about an app's missed occurrences. A gap that is still being counted is left to a later
    call.
    """
    hint = f"norn cron history {row.app} --verdict missed"
    sentence = _missed(row.app, row.how_many, row.first, row.last)
    return NewAlert(AlertKind.RUNS_MISSED, row.app, sentence, hint, tick=row.tick)


def _missed(app: str, how_many: int, first: datetime, last: datetime) -> str:
    if how_many == 1:
        return f"{app} did not run at {first:%Y-%m-%d %H:%M:%S} UTC"
    return f"{app} did not run {how_many} times, from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"


_PAUSED = f"""
SELECT s.app, s.paused_at, s.paused_by, s.paused_reason FROM cron_states s
 WHERE s.paused_at < clock_timestamp() - make_interval(secs => :seconds)
   AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.key = 'paused-long:' || s.app AND {_OPEN})
 LIMIT {BATCH}"""  # noqa: S608 - built from a constant


def _paused(row: AnyRow) -> NewAlert:
    why = f": {row.paused_reason}" if row.paused_reason else ""
    sentence = f"{row.app} has been paused since {row.paused_at:%Y-%m-%d} by {row.paused_by}{why}"
    return NewAlert(AlertKind.PAUSED_LONG, row.app, sentence, f"norn cron resume {row.app}")


# The images on an engine


_LIVE_IMAGE = "JOIN live_releases r ON r.app = s.app AND r.engine = :engine"
_GONE = f"""
SELECT s.app, r.n FROM cron_states s {_LIVE_IMAGE}
 WHERE NOT r.image_id = ANY(:ids) AND r.live_at < clock_timestamp() - interval '1 min'
   AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.key = 'image-gone:' || s.app AND {_OPEN})
 LIMIT {BATCH}"""  # noqa: S608 - built from constants
_BACK = f"""
SELECT a.key FROM alerts a JOIN cron_states s ON s.app = a.app {_LIVE_IMAGE}
 WHERE a.kind = 'image-gone' AND {_OPEN} AND r.image_id = ANY(:ids)"""  # noqa: S608 - built from constants


def images_seen(tx: Tx, write: ImagesSeen) -> None:
    """Raises an alert for each schedule whose image is no longer on its engine; resolves it when the image is back.

    A release that has just gone live may be newer than the list of images, and is left to the next observation.
    """
    bound = {"engine": write.engine, "ids": sorted(write.image_ids)}
    back = tx.execute(text(_BACK), bound).all()
    resolve(tx, AlertRule.CRON, {row.key: "the image of its live release is there" for row in back})
    gone = tx.execute(text(_GONE), bound).all()
    raise_alerts(tx, AlertRule.CRON, [_without_image(row) for row in gone])


def _without_image(row: AnyRow) -> NewAlert:
    sentence = f"{row.app} cannot run: the image of its release {row.n} is no longer on its engine"
    return NewAlert(AlertKind.IMAGE_GONE, row.app, sentence, f"norn deploy {row.app}")
