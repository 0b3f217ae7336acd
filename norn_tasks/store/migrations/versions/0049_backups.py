"""Backups of the databases of apps, their drills, and the size of each database."""

from alembic import op

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE snapshots ADD COLUMN counts JSONB, ADD COLUMN drilled_at TIMESTAMP WITH TIME ZONE")
    op.execute("""
ALTER TABLE service_parts ADD COLUMN bytes BIGINT, ADD COLUMN connections BIGINT,
  ADD COLUMN seen_at TIMESTAMP WITH TIME ZONE""")
    op.execute("""
CREATE TABLE backup_plans (
  app TEXT NOT NULL,
  backup_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
  backup_job BIGINT,
  drill_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
  drill_job BIGINT,
  PRIMARY KEY (app))""")
