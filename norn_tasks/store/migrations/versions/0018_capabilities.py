"""The capabilities of a worker and the requirements of a job, as sets, instead of one engine."""

from alembic import op

revision = "0018"
down_revision = "0017"

WORKERS = """
ALTER TABLE workers
    ADD COLUMN capabilities TEXT[] DEFAULT '{}' NOT NULL,
    ADD COLUMN engines TEXT[] DEFAULT '{}' NOT NULL;
"""

JOBS = """
ALTER TABLE jobs ADD COLUMN requires TEXT[] GENERATED ALWAYS AS (array_remove(ARRAY[
    CASE WHEN engine = 'home' THEN engine ELSE 'engine:' || engine END,
    CASE WHEN container IS NOT NULL THEN 'engine:' || container_engine END,
    CASE WHEN class IN ('invoke', 'cron') OR kind = 'deploy'
         THEN 'runtime:' || coalesce(spec ->> 'runtime', 'docker') END,
    CASE WHEN kind = 'deploy' THEN 'builds' END], NULL)) STORED NOT NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(WORKERS)
    op.execute(JOBS)
