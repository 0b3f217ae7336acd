"""The mail addresses that a server refused for the moment: the notification must still be sent to them."""

from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE deliveries ADD COLUMN left_to TEXT DEFAULT '' NOT NULL")
