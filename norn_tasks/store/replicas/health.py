"""The health of live replicas, the ends of their programs, and the history of each app's state, as observed.

An end between two observations is not lost: the engine's events name each end of a program, and the engine's count of
restarts includes ends whose events it has forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import text

from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.store.database.session import ROUTES, Tx, note

_SEEN = """given AS (SELECT * FROM jsonb_to_recordset(CAST(:seen AS jsonb)) AS g(container text, restarts bigint,
  checked boolean, failures bigint, fault text, silent boolean, unhealthy boolean))"""
_REROUTED = text(f"""
WITH {_SEEN} SELECT DISTINCT r.app FROM replicas r JOIN given g USING (container)
 WHERE r.state = 'live' AND (r.unhealthy, r.unhealthy AND r.silent) <> (g.unhealthy, g.unhealthy AND g.silent)""")  # noqa: S608 - built from a constant
_COUNTED = text(f"""
WITH {_SEEN} INSERT INTO replica_ends(app, container, release, generation, at, exit_code, out_of_memory, times)
SELECT r.app, r.container, r.release, r.generation, clock_timestamp(), NULL, false, g.restarts - r.restarts
  FROM replicas r JOIN given g USING (container)
 WHERE r.state = 'live' AND r.restarts >= 0 AND g.restarts > r.restarts AND NOT EXISTS (
   SELECT 1 FROM replica_ends e WHERE e.container = r.container AND e.at > clock_timestamp() - interval '90 s')""")  # noqa: S608 - built from a constant
_CHECKED = text(f"""
WITH {_SEEN} UPDATE replicas r SET failures = g.failures, fault = g.fault, silent = g.silent, unhealthy = g.unhealthy,
       restarts = g.restarts, checked_at = CASE WHEN g.checked THEN clock_timestamp() ELSE r.checked_at END
  FROM given g WHERE r.container = g.container AND r.state = 'live' AND (g.checked OR r.restarts <> g.restarts)""")  # noqa: S608 - built from a constant
_ENDED = text("""
INSERT INTO replica_ends(app, container, release, generation, at, exit_code, out_of_memory)
SELECT r.app, r.container, r.release, r.generation, g.at, g.exit_code, g.out_of_memory
  FROM jsonb_to_recordset(CAST(:ends AS jsonb))
       AS g(container text, at timestamptz, exit_code bigint, out_of_memory boolean)
  JOIN replicas r USING (container) WHERE r.state = 'live' ON CONFLICT DO NOTHING""")
_ENDED_WITHOUT_ROW = text("""
INSERT INTO replica_ends(app, container, release, generation, at, exit_code, out_of_memory)
SELECT g.app, g.container, g.release, g.generation, g.at, g.exit_code, g.out_of_memory
  FROM jsonb_to_recordset(CAST(:ends AS jsonb)) AS g(app text, container text, release bigint, generation bigint,
       at timestamptz, exit_code bigint, out_of_memory boolean)
 WHERE g.generation IS NOT NULL ON CONFLICT DO NOTHING""")
_STATE = text("""
WITH given AS (SELECT * FROM jsonb_to_recordset(CAST(:states AS jsonb)) AS g(app text, state text, reason text)),
changed AS (SELECT g.* FROM given g LEFT JOIN app_states s ON s.app = g.app AND s.ended_at IS NULL
             WHERE s.state IS DISTINCT FROM g.state),
closed AS (UPDATE app_states s SET ended_at = clock_timestamp() FROM changed c
            WHERE s.app = c.app AND s.ended_at IS NULL)
SELECT app, state, reason FROM changed""")
_OPEN = text("INSERT INTO app_states(app, state, reason) VALUES (:app, :state, :reason)")


def record(tx: Tx, statuses: Iterable[WorkloadStatus]) -> None:
    """Stores the findings about live replicas; notifies the router of apps whose usable replicas have changed."""
    statuses = list(statuses)
    seen = json.dumps([asdict(each) for status in statuses for each in status.sightings])
    ends = [{**asdict(end), "app": status.app, "at": end.at.isoformat()} for status in statuses for end in status.ends]
    tx.execute(_ENDED, {"ends": json.dumps(ends)})
    tx.execute(_ENDED_WITHOUT_ROW, {"ends": json.dumps(ends)})
    tx.execute(_COUNTED, {"seen": seen})
    rerouted = tx.scalars(_REROUTED, {"seen": seen}).all()
    tx.execute(_CHECKED, {"seen": seen})
    for app in rerouted:
        note(tx, ROUTES, app)
    _keep_states(tx, statuses)


def _keep_states(tx: Tx, statuses: Iterable[WorkloadStatus]) -> None:
    states = [{"app": each.app, "state": state_of(each), "reason": _reason(each)} for each in statuses]
    changed: list[dict[str, Any]] = [dict(row) for row in tx.execute(_STATE, {"states": json.dumps(states)}).mappings()]
    if changed:
        tx.execute(_OPEN, changed)


def state_of(status: WorkloadStatus) -> str:
    """Returns the name of an app's state in its history."""
    if status.wanted == 0:
        return "stopped"
    if status.ready >= status.wanted:
        return "running"
    return "degraded" if status.ready else "down"


def _reason(status: WorkloadStatus) -> str:
    return status.message or next((each.message for each in status.replicas if each.message), "")
