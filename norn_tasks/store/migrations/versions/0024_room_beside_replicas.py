"""The memory limits of replicas, and the memory that replicas leave for builds and runs."""

from alembic import op

revision = "0024"
down_revision = "0023"

CHANGES = """
ALTER TABLE replicas ADD COLUMN memory BIGINT;
"""

# Replicas whose infraspec sets their memory reserve all of it. The others have a default limit, which most of them
# never reach; together they reserve at most a third of the remaining memory. Replicas on Kubernetes have no rows here.
VIEW = """
CREATE OR REPLACE VIEW engine_room AS
WITH limits AS (
  SELECT coalesce((SELECT engine FROM instance), l.engine) AS engine, r.memory,
         CAST(l.spec -> 'resources' ->> 'memory' AS bigint) AS named
    FROM replicas r JOIN releases l ON l.app = r.app AND l.n = r.release),
reserved AS (
  SELECT engine, coalesce(sum(named), 0) AS named, coalesce(sum(memory) FILTER (WHERE named IS NULL), 0) AS others
    FROM limits GROUP BY engine),
taken AS (
  SELECT e.id, e.memory, e.building, coalesce(r.named, 0)
         + least(coalesce(r.others, 0), div(greatest(e.memory - coalesce(r.named, 0), 0), 3)) AS replicas
    FROM engines e LEFT JOIN reserved r ON r.engine = e.id)
SELECT t.id AS engine, t.memory, CAST(least(t.building, greatest(t.memory - t.replicas, 0)) AS bigint) AS building,
       CAST(t.memory - coalesce((SELECT sum(h.bytes) FROM memory_held h WHERE h.engine = t.id), 0) - t.replicas
            AS bigint) AS free
  FROM taken t;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
    op.execute(VIEW)
