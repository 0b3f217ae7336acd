"""The keys of Cloudflare Access."""

from alembic import op

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    """Applies the change."""
    op.execute("""
        CREATE TABLE access_keys (
          issuer TEXT PRIMARY KEY,
          keys JSONB NOT NULL,
          seen_at TIMESTAMP WITH TIME ZONE,
          error TEXT NOT NULL,
          asked_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL)""")
