"""Housekeeping: exclusive tasks, how much of each call is kept, and an index of idempotency keys by job."""

from alembic import op

revision = "0003"
down_revision = "0002"

CHANGES = """
CREATE TABLE chores (
    name TEXT NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE,
    did JSONB DEFAULT '{}' NOT NULL,
    PRIMARY KEY (name)
);
ALTER TABLE func_executions
    ADD COLUMN record TEXT DEFAULT 'full' NOT NULL,
    ADD COLUMN request_sha256 TEXT,
    ADD COLUMN response_sha256 TEXT,
    ADD COLUMN trimmed_at TIMESTAMP WITH TIME ZONE;
-- calls of which less is to stay than there is
CREATE INDEX func_executions_untrimmed ON func_executions(finished_at) WHERE record <> 'full' AND trimmed_at IS NULL;
CREATE INDEX idempotency_by_job ON idempotency(job_id) WHERE job_id IS NOT NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
