"""Secrets of apps, and a column of the audit for further details of a request."""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = """
CREATE TABLE secrets (
    app TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    version BIGINT NOT NULL,
    set_by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    retired_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (app, name, version)
);
ALTER TABLE instance ADD COLUMN age_recipient TEXT;
ALTER TABLE audit ADD COLUMN about TEXT DEFAULT '' NOT NULL;
"""

RULES = """
CREATE UNIQUE INDEX secrets_one_current ON secrets(app, name) WHERE retired_at IS NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(TABLES)
    op.execute(RULES)
