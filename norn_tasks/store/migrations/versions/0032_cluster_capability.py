"""Jobs require a worker that reaches the cluster of their app; a column that nothing uses is dropped."""

from alembic import op

revision = "0032"
down_revision = "0031"

JOBS = """
ALTER TABLE jobs
    DROP COLUMN process_group,
    DROP COLUMN requires,
    ADD COLUMN requires TEXT[] GENERATED ALWAYS AS (array_remove(ARRAY[
    CASE WHEN engine = 'home' THEN engine ELSE 'engine:' || engine END,
    CASE WHEN container IS NOT NULL THEN 'engine:' || container_engine END,
    'cluster:' || cluster,
    CASE WHEN class IN ('invoke', 'cron') OR kind = 'deploy' THEN 'runtime:' || (spec ->> 'runtime') END,
    CASE WHEN kind = 'deploy' THEN 'builds' END], NULL)) STORED NOT NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(JOBS)
