"""Callbacks of asynchronous calls."""

from alembic import op

revision = "0047"
down_revision = "0046"

TABLES = """
CREATE TABLE callbacks (
    execution BIGINT NOT NULL,
    destination BIGINT NOT NULL,
    PRIMARY KEY (execution)
);
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(TABLES)
