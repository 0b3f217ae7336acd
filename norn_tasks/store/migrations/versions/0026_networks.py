"""The reach of runs on an engine: the machine's address, and whether runs reach the machine and a cloud's metadata."""

from alembic import op

revision = "0026"
down_revision = "0025"

CHANGES = """
ALTER TABLE engines ADD COLUMN runs_address TEXT, ADD COLUMN host_reached BOOLEAN, ADD COLUMN metadata_reached BOOLEAN;
ALTER TABLE addresses ADD COLUMN runs_error TEXT;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
