"""The home engine, and the images of releases in the registry."""

from alembic import op

revision = "0012"
down_revision = "0011"

CHANGES = """
ALTER TABLE instance
    ADD COLUMN engine TEXT,
    ADD COLUMN engine_host TEXT,
    ADD COLUMN engine_seen_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE releases ADD COLUMN published TEXT;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
