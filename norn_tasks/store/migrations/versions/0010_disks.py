"""The disks and clocks that workers report."""

from alembic import op

revision = "0010"
down_revision = "0009"

CHANGES = """
ALTER TABLE workers
    ADD COLUMN spaces JSONB DEFAULT '[]' NOT NULL,
    ADD COLUMN clock_offset DOUBLE PRECISION DEFAULT '0' NOT NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
