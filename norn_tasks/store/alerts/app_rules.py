"""The alert rules for webservers and workers: alerts about problems of an app after it went live, and about failed
deploys.

Observations of the cluster write their findings into rows (`store.replicas.health`). Every few seconds these rules read
the rows of all apps at once; only one scheduler at a time does so. They resolve alerts before they raise new ones.
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.alerting.alert import AlertKind, AlertRule, NewAlert
from norn_tasks.domain.jobs.app_status import NOT_READY
from norn_tasks.domain.quantities import duration_text, memory_text
from norn_tasks.store.alerts.alerts import any_open, raise_alerts, resolve
from norn_tasks.store.database.pages import AnyRow
from norn_tasks.store.database.session import Database, Tx

BATCH = 500
"""The most alerts that one statement changes; the next call of `look` continues."""
DOWN_FOR = 45
"""An alert is raised when no replica has served for this number of seconds: a restart takes less."""
WINDOW, ENDS, KILLS = 300, 3, 1
"""Defaults for an infraspec without `alerts`: an alert is raised if, within WINDOW seconds, a program ended ENDS times
or was killed KILLS times for lack of memory.

A program may end by chance now and then, but a program that was killed for lack of memory will be killed again.
"""


def look(database: Database) -> None:
    """Raises and resolves the alerts of all apps; does nothing if another scheduler is doing so."""
    with database.transaction() as tx:
        if not tx.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('norn-app-alerts'))")):
            return
        resolving = (_REMOVED, _RUNS_ON, _HEALTHY, _SERVES, _DEPLOYED, _AS_MADE) if any_open(tx, AlertRule.APP) else ()
        for over in resolving:
            resolve(tx, AlertRule.APP, {row.key: row.because for row in tx.execute(text(f"{over} LIMIT {BATCH}"))})
        raise_alerts(tx, AlertRule.APP, [*_ended(tx), *map(_failed, tx.execute(_FAILED))])
        raise_unhealthy(tx)
        raise_alerts(tx, AlertRule.APP, [_drifted(row) for row in tx.execute(_DRIFTED)])
        raise_alerts(tx, AlertRule.APP, [_down(row) for row in tx.execute(_DOWN)])


def raise_unhealthy(tx: Tx) -> None:
    """Raises the alerts of replicas that fail their checks.

    An observation calls this in its own transaction, because the repair that it requests could remove such a replica
    before the scheduler reads the row.
    """
    raise_alerts(tx, AlertRule.APP, [_unhealthy(row) for row in tx.execute(_UNHEALTHY)])
    raise_alerts(tx, AlertRule.APP, [_not_ready(row) for row in tx.execute(_UNHEALTHY_WITHOUT_ROWS)])


# Programs that end


_WINDOW = f"coalesce(CAST(l.spec #>> '{{alerts,window}}' AS bigint), {WINDOW})"
_LATELY = f"e.at > clock_timestamp() - make_interval(secs => {_WINDOW})"
_ENDS = text(f"""
SELECT l.app, l.n, e.out_of_memory, sum(e.times) AS times, {_WINDOW} AS seconds,
       CAST(l.spec #>> '{{resources,memory}}' AS bigint) AS memory,
       (array_agg(e.exit_code ORDER BY e.at DESC))[1] AS exit_code
  FROM live_releases l JOIN replica_ends e ON e.app = l.app AND e.generation = l.generation AND {_LATELY}
 GROUP BY l.app, l.n, l.spec, e.out_of_memory
HAVING sum(e.times) >= coalesce(CAST(l.spec #>> '{{alerts,threshold}}' AS bigint),
                                CASE WHEN e.out_of_memory THEN {KILLS} ELSE {ENDS} END) LIMIT {BATCH}""")  # noqa: S608 - built from constants


def _ended(tx: Tx) -> list[NewAlert]:
    return [_killed(row) if row.out_of_memory else _crashing(row) for row in tx.execute(_ENDS)]


def _times(row: AnyRow) -> str:
    return f"{'once' if row.times == 1 else f'{row.times} times'} within {duration_text(row.seconds)}"


def _crashing(row: AnyRow) -> NewAlert:
    last = f", the last time with exit code {row.exit_code}" if row.exit_code is not None else ""
    sentence = f"{row.app} ended {_times(row)}{last}, and was started again"
    return NewAlert(AlertKind.CRASH_LOOPING, row.app, sentence, f"norn logs {row.app}")


def _killed(row: AnyRow) -> NewAlert:
    limit = f"its {memory_text(row.memory)} of memory" if row.memory is not None else "the memory that it may have"
    sentence = f"{row.app} used more than {limit} and was killed, {_times(row)}"
    hint = f"raise resources.memory in its infraspec.yaml, and norn deploy {row.app}"
    return NewAlert(AlertKind.OUT_OF_MEMORY, row.app, sentence, hint)


# Replicas that fail their checks, and apps without a serving replica


_UNHEALTHY = text(f"""
SELECT r.app, count(*) FILTER (WHERE r.unhealthy) AS bad, count(*) AS all,
       max(r.fault) FILTER (WHERE r.unhealthy) AS fault, max(r.failures) FILTER (WHERE r.unhealthy) AS failures
  FROM replicas r WHERE r.state = 'live' GROUP BY r.app HAVING bool_or(r.unhealthy) LIMIT {BATCH}""")  # noqa: S608 - built from a constant
_UNHEALTHY_WITHOUT_ROWS = text(f"""
SELECT w.app, count(*) FILTER (WHERE r.state = '{NOT_READY}') AS bad, count(*) AS all, w.message AS fault
  FROM workload_status w JOIN live_releases l USING (app)
  CROSS JOIN LATERAL jsonb_to_recordset(w.replicas) AS r(state text)
 WHERE w.ready < w.wanted AND NOT EXISTS (SELECT 1 FROM replicas o WHERE o.app = w.app)
 GROUP BY w.app, w.message HAVING bool_or(r.state = '{NOT_READY}') LIMIT {BATCH}""")  # noqa: S608 - built from constants
_OF_NO_REPLICA = (
    f"('{AlertKind.DEPLOY_FAILED}', '{AlertKind.DRIFTED}', '{AlertKind.CERTIFICATE_ENDS}', '{AlertKind.LAYER_LARGE}')"
)
"""The kinds of alerts that do not explain why no replica serves."""
_DOWN = text(f"""
SELECT s.app, s.reason FROM app_states s
 WHERE s.state = 'down' AND s.ended_at IS NULL AND s.began_at < clock_timestamp() - interval '{DOWN_FOR} s'
   AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.app = s.app AND a.rule = '{AlertRule.APP}' AND a.resolved_at IS NULL
                      AND a.kind NOT IN {_OF_NO_REPLICA}) LIMIT {BATCH}""")  # noqa: S608 - built from constants


def _unhealthy(row: AnyRow) -> NewAlert:
    which = "the replica" if row.all == 1 else f"{row.bad} of {row.all} replicas"
    sentence = f"{which} of {row.app} failed {row.failures} health checks in a row: {row.fault}"
    return NewAlert(AlertKind.UNHEALTHY, row.app, sentence, f"norn logs {row.app}")


def _not_ready(row: AnyRow) -> NewAlert:
    which = "the replica" if row.all == 1 else f"{row.bad} of {row.all} replicas"
    fails = "fails its health check" if row.bad == 1 else "fail their health checks"
    why = f": {row.fault}" if row.fault else ""
    return NewAlert(AlertKind.UNHEALTHY, row.app, f"{which} of {row.app} {fails}{why}", f"norn logs {row.app}")


def _down(row: AnyRow) -> NewAlert:
    why = f": {row.reason}" if row.reason else ""
    return NewAlert(AlertKind.DOWN, row.app, f"no replica of {row.app} serves{why}", f"norn why {row.app}")


# Deploys that failed


_TRIED = "d.kind <> 'return' AND d.ended_at IS NOT NULL AND d.state NOT IN ('superseded', 'cancelled')"
_FAILED = text(f"""
SELECT d.app, d.id, d.kind, d.release, d.error ->> 'sentence' AS sentence FROM deployments d
 WHERE {_TRIED} AND d.state = 'failed' AND d.ended_at > clock_timestamp() - interval '10 min'
   AND NOT EXISTS (SELECT 1 FROM deployments o WHERE o.app = d.app AND o.id > d.id AND
                   {_TRIED.replace("d.", "o.")})
   AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.rule = '{AlertRule.APP}' AND a.tick >= d.id
                      AND a.key = '{AlertKind.DEPLOY_FAILED}:' || d.app) LIMIT {BATCH}""")  # noqa: S608 - built from constants


def _failed(row: AnyRow) -> NewAlert:
    release = f" of release {row.release}" if row.release is not None else ""
    sentence = f"the {row.kind}{release} of {row.app} failed: {row.sentence or 'it ended without a reason'}"
    return NewAlert(AlertKind.DEPLOY_FAILED, row.app, sentence, f"norn why {row.app}", tick=row.id)


# Changes that Norn did not make


_COMPARED = "drifts d JOIN live_releases l ON l.app = d.app AND l.generation = d.generation"
_DRIFTED = text(f"""
SELECT d.app, jsonb_array_length(d.found) AS fields, d.found -> 0 ->> 'thing' AS thing,
       d.found -> 0 ->> 'field' AS field FROM {_COMPARED}
 WHERE d.found <> '[]' AND NOT EXISTS (
   SELECT 1 FROM alerts a WHERE a.rule = '{AlertRule.APP}' AND a.resolved_at IS NULL
      AND a.key = '{AlertKind.DRIFTED}:' || d.app) LIMIT {BATCH}""")  # noqa: S608 - built from constants


def _drifted(row: AnyRow) -> NewAlert:
    first = f"{row.field} of {row.thing}" if row.field else row.thing
    more = f" and {row.fields - 1} more" if row.fields > 1 else ""
    sentence = f"{row.app} is not as Norn made it: somebody changed {first}{more}"
    return NewAlert(AlertKind.DRIFTED, row.app, sentence, f"norn drift {row.app}")


# Recoveries


_OPEN = f"a.rule = '{AlertRule.APP}' AND a.resolved_at IS NULL"
_READY = (
    "EXISTS (SELECT 1 FROM workload_status w WHERE w.app = a.app AND w.ready >= w.wanted AND w.seen_at > a.raised_at)"
)
_REMOVED = f"""
SELECT a.key, 'it was taken down' AS because FROM alerts a
 WHERE {_OPEN} AND NOT EXISTS (SELECT 1 FROM apps p WHERE p.name = a.app AND p.forge_state <> 'unforged')"""  # noqa: S608 - built from constants
_RUNS_ON = f"""
SELECT a.key, 'release ' || l.n || ' runs on' AS because FROM alerts a JOIN live_releases l ON l.app = a.app
 WHERE a.kind IN ('{AlertKind.CRASH_LOOPING}', '{AlertKind.OUT_OF_MEMORY}') AND {_OPEN} AND {_READY}
   AND NOT EXISTS (SELECT 1 FROM replica_ends e WHERE e.app = a.app AND e.generation = l.generation AND {_LATELY}
                      AND e.out_of_memory = (a.kind = '{AlertKind.OUT_OF_MEMORY}'))"""  # noqa: S608 - built from constants
_HEALTHY = f"""
SELECT a.key, 'its replicas are healthy' AS because FROM alerts a
 WHERE a.kind = '{AlertKind.UNHEALTHY}' AND {_OPEN} AND {_READY}
   AND NOT EXISTS (SELECT 1 FROM replicas r WHERE r.app = a.app AND r.state = 'live' AND r.unhealthy)"""  # noqa: S608 - built from constants
_SERVES = f"""
SELECT a.key, 'it serves' AS because FROM alerts a JOIN app_states s ON s.app = a.app AND s.ended_at IS NULL
 WHERE a.kind = '{AlertKind.DOWN}' AND {_OPEN} AND s.state <> 'down'"""  # noqa: S608 - built from constants
_DEPLOYED = f"""
SELECT a.key, 'release ' || coalesce(CAST(d.release AS text), '') || ' went live' AS because
  FROM alerts a CROSS JOIN LATERAL (
    SELECT d.release FROM deployments d WHERE d.app = a.app AND d.id > a.tick AND {_TRIED} AND d.state <> 'failed'
     ORDER BY d.id DESC LIMIT 1) d
 WHERE a.kind = '{AlertKind.DEPLOY_FAILED}' AND {_OPEN}"""  # noqa: S608 - built from constants
_AS_MADE = f"""
SELECT a.key, 'it is as Norn made it' AS because FROM alerts a
 WHERE a.kind = '{AlertKind.DRIFTED}' AND {_OPEN}
   AND NOT EXISTS (SELECT 1 FROM {_COMPARED} WHERE d.app = a.app AND d.found <> '[]')"""  # noqa: S608 - built from constants
