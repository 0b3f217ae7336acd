"""The newest commits of the branches that apps are deployed from."""

from alembic import op

revision = "0043"
down_revision = "0042"

TABLES = """
CREATE TABLE branches (
    repository TEXT NOT NULL,
    branch TEXT NOT NULL,
    revision TEXT,
    seen_at TIMESTAMP WITH TIME ZONE,
    error TEXT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (repository, branch)
);
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(TABLES)
