"""Uploaded sources."""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = """
CREATE TABLE sources (
    app TEXT NOT NULL,
    revision TEXT NOT NULL,
    tree TEXT NOT NULL,
    files BIGINT NOT NULL,
    size BIGINT NOT NULL,
    actor TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (app, revision)
);

CREATE TABLE source_pieces (
    app TEXT NOT NULL,
    revision TEXT NOT NULL,
    n BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (app, revision, n),
    FOREIGN KEY (app, revision) REFERENCES sources (app, revision) ON DELETE CASCADE
);

ALTER TABLE source_pieces ALTER COLUMN data SET STORAGE EXTERNAL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(TABLES)
