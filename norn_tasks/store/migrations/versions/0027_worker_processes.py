"""The process that has a worker's name."""

from alembic import op

revision = "0027"
down_revision = "0026"

CHANGES = """
ALTER TABLE workers ADD COLUMN process TEXT DEFAULT '' NOT NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
