"""Tallies: figures counted from events, for /metrics."""

from alembic import op

revision = "0008"
down_revision = "0007"

CHANGES = """
CREATE TABLE tallies (
    name TEXT NOT NULL,
    labels TEXT[] NOT NULL,
    count BIGINT DEFAULT '0' NOT NULL,
    sum DOUBLE PRECISION DEFAULT '0' NOT NULL,
    buckets BIGINT[] DEFAULT '{}' NOT NULL,
    PRIMARY KEY (name, labels)
);
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
