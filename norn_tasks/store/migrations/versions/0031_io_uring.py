"""Whether the containers of runs may use io_uring on an engine."""

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE engines ADD COLUMN io_uring BOOLEAN")
