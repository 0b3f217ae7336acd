"""Encrypted files of secrets that are imported or were exported."""

from alembic import op

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    """Applies the change."""
    op.execute("""
CREATE TABLE secret_files (
  job_id BIGINT NOT NULL PRIMARY KEY,
  app TEXT NOT NULL,
  content TEXT NOT NULL,
  at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL)""")
