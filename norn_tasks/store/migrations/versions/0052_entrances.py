"""The entrances of apps that have moved to another cluster."""

from alembic import op

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE addresses ADD COLUMN entrance TEXT")
