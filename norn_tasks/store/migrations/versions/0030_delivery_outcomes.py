"""The column with the last answer to a delivery gets the name that the API uses."""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE deliveries RENAME COLUMN told TO outcome")
