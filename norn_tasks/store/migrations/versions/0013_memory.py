"""Memory as rows: the bytes that each engine has for apps, that each job needs, and that running jobs reserve."""

from alembic import op

revision = "0013"
down_revision = "0012"

TABLES = """
CREATE TABLE engines (
    id TEXT NOT NULL,
    memory BIGINT NOT NULL,
    building BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE memory_held (
    job_id BIGINT NOT NULL,
    engine TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (job_id)
);

ALTER TABLE jobs ADD COLUMN memory BIGINT GENERATED ALWAYS AS (CASE
    WHEN kind = 'invoke' THEN coalesce(CAST(spec -> 'function' ->> 'memory' AS bigint), 268435456)
    WHEN kind IN ('cron-run', 'run') THEN coalesce(CAST(spec -> 'resources' ->> 'memory' AS bigint), 536870912)
    WHEN kind IN ('deploy', 'rollback', 'restart', 'scale', 'repair') AND spec ->> 'role' IN ('webserver', 'worker')
    THEN CAST(spec -> 'resources' ->> 'memory' AS bigint) END) STORED;
"""

RULES = """
CREATE INDEX memory_held_by_engine ON memory_held(engine);
-- what an engine has left: without what jobs hold, and without what the replicas there have reserved
CREATE VIEW engine_room AS
SELECT e.id AS engine, e.memory, e.building, CAST(e.memory
    - coalesce((SELECT sum(h.bytes) FROM memory_held h WHERE h.engine = e.id), 0)
    - coalesce((SELECT sum(CAST(l.spec -> 'resources' ->> 'memory' AS bigint))
                  FROM replicas r JOIN releases l ON l.app = r.app AND l.n = r.release
                 WHERE coalesce((SELECT engine FROM instance), l.engine) = e.id), 0)
    AS bigint) AS free
  FROM engines e;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(TABLES)
    op.execute(RULES)
