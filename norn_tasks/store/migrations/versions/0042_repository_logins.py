"""Logins of private repositories."""

from alembic import op

revision = "0042"
down_revision = "0041"

TABLES = """
CREATE TABLE repository_logins (
    id BIGSERIAL NOT NULL,
    repository TEXT NOT NULL,
    username TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    set_by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (repository)
);
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(TABLES)
