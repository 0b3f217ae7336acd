"""The clusters of a worker in which replicas use no memory of an engine."""

from alembic import op

revision = "0022"
down_revision = "0021"

CHANGES = """
ALTER TABLE workers ADD COLUMN clusters_apart TEXT[] DEFAULT '{}' NOT NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
