"""The last comparison of each running app with its live release."""

from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Applies the change."""
    op.execute("""
        CREATE TABLE drifts (
          app TEXT PRIMARY KEY REFERENCES apps (name) ON DELETE CASCADE,
          generation BIGINT NOT NULL,
          found JSONB NOT NULL,
          seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL)""")
