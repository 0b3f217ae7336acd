"""Snapshots of the databases of apps, and the releases whose deploy has migrated a database."""

from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE releases ADD COLUMN migrated_at TIMESTAMP WITH TIME ZONE")
    op.execute("""
CREATE TABLE snapshots (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app TEXT NOT NULL,
  database TEXT NOT NULL,
  reason TEXT NOT NULL,
  job_id BIGINT NOT NULL,
  release BIGINT,
  at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
  bytes BIGINT)""")
    op.execute("CREATE INDEX snapshots_app ON snapshots(app, id)")
    op.execute("CREATE INDEX snapshots_job ON snapshots(job_id)")
