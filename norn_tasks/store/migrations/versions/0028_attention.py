"""Steps that are never repeated automatically, and jobs that stopped in such a step."""

from alembic import op

revision = "0028"
down_revision = "0027"

CHANGES = """
ALTER TABLE steps ADD COLUMN once BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE jobs ADD COLUMN attention TEXT;
CREATE INDEX jobs_attention ON jobs(app) WHERE attention = 'open';
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
