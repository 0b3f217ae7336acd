"""The last answer to a delivery under the name by which the API has it."""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE deliveries RENAME COLUMN told TO outcome")
