"""Marks for parts of shared services that a purge is removing."""

from alembic import op

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE service_parts ADD COLUMN leaving_at TIMESTAMP WITH TIME ZONE")
