"""The runtime and the engine of a job's container."""

from alembic import op

revision = "0017"
down_revision = "0016"

CHANGES = """
ALTER TABLE jobs ADD COLUMN container_runtime TEXT, ADD COLUMN container_engine TEXT;
"""

# The container of an ended job matters only while the job still holds a slot or memory because of it.
RECORDED = """
UPDATE jobs j
   SET container_runtime = coalesce(j.spec ->> 'runtime', 'docker'),
       container_engine = coalesce((SELECT h.engine FROM memory_held h WHERE h.job_id = j.id), nullif(j.engine, 'home'))
 WHERE j.container IS NOT NULL
   AND (j.state IN ('queued', 'running')
        OR j.id IN (SELECT job_id FROM slots WHERE job_id IS NOT NULL UNION ALL SELECT job_id FROM memory_held));
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
    op.execute(RECORDED)
