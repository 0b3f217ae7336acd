"""Browsers that are signed in with a token, and the codes that sign a browser in."""

from alembic import op

revision = "0034"
down_revision = "0033"

SESSIONS = """
CREATE TABLE sessions (
    id BIGSERIAL PRIMARY KEY,
    token_id BIGINT NOT NULL,
    hash TEXT NOT NULL,
    csrf_hash TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    agent TEXT NOT NULL,
    address TEXT NOT NULL
);
CREATE UNIQUE INDEX sessions_hash ON sessions(hash);
CREATE TABLE sign_in_codes (
    hash TEXT PRIMARY KEY,
    token_id BIGINT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL
);
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(SESSIONS)
