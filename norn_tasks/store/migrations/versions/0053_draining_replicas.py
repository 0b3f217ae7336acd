"""Replicas that keep running after they were replaced, until their open connections have ended."""

from alembic import op

revision = "0053"
down_revision = "0052"

CHANGES = """
ALTER TABLE replicas ADD COLUMN drains_until TIMESTAMP WITH TIME ZONE;
ALTER TABLE replicas ADD COLUMN connections BIGINT;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
