"""When a worker last reported an engine, and slots that are deleted when their job releases them."""

from alembic import op

revision = "0014"
down_revision = "0013"

CHANGES = """
ALTER TABLE engines ADD COLUMN seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL;
ALTER TABLE slots ADD COLUMN surplus BOOLEAN DEFAULT false NOT NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
