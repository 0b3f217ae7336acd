"""The spec that was registered when a release was accepted: a forge compares it with the spec registered now."""

from alembic import op

revision = "0020"
down_revision = "0019"

CHANGES = """
ALTER TABLE releases ADD COLUMN registered JSONB;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
