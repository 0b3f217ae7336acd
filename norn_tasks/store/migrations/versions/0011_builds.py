"""The queue of builds: one at a time per engine."""

from alembic import op

revision = "0011"
down_revision = "0010"

CHANGES = """
CREATE TABLE builds (
    job_id BIGINT NOT NULL,
    engine TEXT NOT NULL,
    token BIGINT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (job_id)
);
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
