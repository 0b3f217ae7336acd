"""The address at which an app is reached, as its cluster returned it, and the clusters that a worker has."""

from alembic import op

revision = "0021"
down_revision = "0020"

CHANGES = """
ALTER TABLE apps ADD COLUMN address TEXT;
ALTER TABLE workers ADD COLUMN clusters TEXT[] DEFAULT '{}' NOT NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
