"""Stores infraspecs with their defaults in rows that statements read, and as they were written in rows that people
read.
"""

import json
from collections.abc import Mapping

from alembic import op

revision = "0023"
down_revision = "0022"

DEFAULTS = {
    "deploy": True,
    "core": False,
    "replicas": 1,
    "hosts": {},
    "build": {"dockerfile": "Dockerfile"},
    "repo": {"branch": "main", "autoDeploy": False, "paths": []},
    "services": {},
    "secrets": [],
    "migrations": {"idempotent": False},
    "artifacts": {"retain": 5},
    "volumes": [],
    "env": {},
    "resources": {},
    "container": {"writable": False},
    "timezone": "UTC",
    "catchup": "last",
    "concurrency": "forbid",
    "jitter": 0,
    "retries": {"max": 0, "backoff": 10},
    "runtime": "docker",
    "timeout": 300,
    "network": "bridge",
    "function": {
        "timeout": 30,
        "trigger": "http",
        "memory": 268435456,
        "auth": "token",
        "concurrency": 4,
        "maxBody": 1048576,
        "maxOutput": 1048576,
        "response": "raw",
        "contentType": "text/plain",
        "warm": 1,
        "warmMax": 8,
        "idle": 300,
        "record": "full",
    },
}
ALERTS = {"window": 300, "threshold": 3}
"""The defaults inside the section `alerts`; an infraspec without this section, or with an empty one, does not
get them.
"""


def _section(name: str, defaults: Mapping[str, object]) -> str:
    return f"""CASE WHEN given ? '{name}'
        THEN jsonb_build_object('{name}', '{json.dumps(defaults)}' || (given -> '{name}')) ELSE '{{}}' END"""


_SECTIONS = [_section(name, value) for name, value in DEFAULTS.items() if isinstance(value, dict) and value]
FILLED = f"""
CREATE FUNCTION norn_filled(spec jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE given jsonb = jsonb_strip_nulls(spec);
BEGIN
  IF jsonb_typeof(given) <> 'object' THEN
    RETURN spec;
  ELSIF given -> 'alerts' = '{{}}' THEN
    given = given - 'alerts';
  END IF;
  RETURN '{json.dumps(DEFAULTS)}' || given || {" || ".join([*_SECTIONS, _section("alerts", ALERTS)])};
END $$
"""

CHANGES = """
ALTER TABLE apps ADD COLUMN written JSONB;
UPDATE apps SET written = spec, spec = norn_filled(spec);
ALTER TABLE apps ALTER COLUMN written SET NOT NULL;
ALTER TABLE app_specs RENAME COLUMN spec TO written;
UPDATE releases SET spec = norn_filled(spec), registered = norn_filled(registered);
"""

# The infraspec of a job stays the same while its state and lease change. As one of the last columns, it is not copied
# into the write-ahead log with each update. Filling it as a generated column leaves no dead versions of rows.
JOBS = """
ALTER TABLE jobs
    DROP COLUMN memory,
    DROP COLUMN requires,
    ADD COLUMN frozen JSONB GENERATED ALWAYS AS (norn_filled(spec)) STORED;
ALTER TABLE jobs ALTER COLUMN frozen DROP EXPRESSION, DROP COLUMN spec;
ALTER TABLE jobs RENAME COLUMN frozen TO spec;
ALTER TABLE jobs
    ADD COLUMN memory BIGINT GENERATED ALWAYS AS (CASE
    WHEN kind = 'invoke' THEN CAST(spec -> 'function' ->> 'memory' AS bigint)
    WHEN kind IN ('cron-run', 'run') THEN coalesce(CAST(spec -> 'resources' ->> 'memory' AS bigint), 536870912)
    WHEN kind IN ('deploy', 'rollback', 'restart', 'scale', 'repair') AND spec ->> 'role' IN ('webserver', 'worker')
    THEN CAST(spec -> 'resources' ->> 'memory' AS bigint) END) STORED,
    ADD COLUMN requires TEXT[] GENERATED ALWAYS AS (array_remove(ARRAY[
    CASE WHEN engine = 'home' THEN engine ELSE 'engine:' || engine END,
    CASE WHEN container IS NOT NULL THEN 'engine:' || container_engine END,
    CASE WHEN class IN ('invoke', 'cron') OR kind = 'deploy' THEN 'runtime:' || (spec ->> 'runtime') END,
    CASE WHEN kind = 'deploy' THEN 'builds' END], NULL)) STORED NOT NULL;
DROP FUNCTION norn_filled(jsonb);
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(FILLED)
    op.execute(CHANGES)
    op.execute(JOBS)
