"""A full ledger for tests of speed and of plans: past jobs by the million and ready calls, made by the database."""

from __future__ import annotations

import json

from sqlalchemy import text

from norn_tasks.store.database.session import Database
from tests import factories

_PAST = text("""
INSERT INTO jobs(kind, class, app, exclusive, state, actor, engine, claims, lease_token, lease_owner, created_at,
                 first_claimed_at, ended_at)
SELECT 'invoke', 'invoke', 'fn-' || n % 5000, false, 'succeeded', 'test', :engine, 1, nextval('fence'), 'w1',
       at, at, at FROM generate_series(1, :count) n, LATERAL (SELECT clock_timestamp() - n * interval '1 s' AS at) t""")

_READY = text("""
WITH job AS (
  INSERT INTO jobs(kind, class, app, exclusive, actor, engine, release, execution, deadline, spec)
  SELECT 'invoke', 'invoke', 'fn-' || (n - 1) * CAST(:apps AS int) / CAST(:count AS int), false, 'test', :engine, 1,
         nextval('executions'), clock_timestamp() + interval '1 h', CAST(:spec AS jsonb)
    FROM generate_series(1, :count) n RETURNING id, app, execution),
run AS (
  INSERT INTO func_executions(id, app, job_id, release, image_id, actor, sync, method, path)
  SELECT execution, app, id, 1, 'sha256:1', 'test', false, 'POST', '/' FROM job)
INSERT INTO execution_io(execution, request) SELECT execution, '' FROM job""")

_SLOTS = text("""
INSERT INTO slots(class, app, n) SELECT 'invoke', 'fn-' || a, n
  FROM generate_series(0, CAST(:apps AS int) - 1) a, generate_series(1, CAST(:each AS int)) n""")


def fill(database: Database, *, past: int, ready: int, apps: int, slots: int = 4) -> None:
    """Writes so many past jobs, and so many ready calls, one app's after the other's, of apps with so many slots."""
    with database.transaction() as tx:
        tx.execute(text("SET LOCAL statement_timeout = 0"))
        if past:
            tx.execute(_PAST, {"count": past, "engine": factories.ENGINE})
        spec = json.dumps(factories.spec("fn").frozen())
        tx.execute(_READY, {"count": ready, "apps": apps, "engine": factories.ENGINE, "spec": spec})
        tx.execute(_SLOTS, {"apps": apps, "each": slots})
    with database.transaction() as tx:
        tx.execute(text("ANALYZE jobs"))
        tx.execute(text("ANALYZE slots"))
