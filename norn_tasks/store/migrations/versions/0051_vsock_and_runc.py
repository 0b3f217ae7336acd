"""Whether the containers of runs may use AF_VSOCK on an engine, and its version of runc."""

from alembic import op

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE engines ADD COLUMN vsock BOOLEAN, ADD COLUMN runc TEXT")
