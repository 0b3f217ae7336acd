"""One-off commands, and the stream (stdout or stderr) of each chunk of a step's output."""

from alembic import op

revision = "0007"
down_revision = "0006"

CHANGES = """
CREATE TABLE oneoffs (
    command TEXT[] NOT NULL,
    timeout BIGINT NOT NULL,
    stdout TEXT DEFAULT '' NOT NULL,
    stdout_dropped BIGINT DEFAULT '0' NOT NULL,
    stderr TEXT DEFAULT '' NOT NULL,
    stderr_dropped BIGINT DEFAULT '0' NOT NULL,
    id BIGINT NOT NULL,
    app TEXT NOT NULL,
    job_id BIGINT NOT NULL,
    release BIGINT,
    image_id TEXT,
    state TEXT DEFAULT 'pending' NOT NULL,
    cause TEXT DEFAULT '' NOT NULL,
    sentence TEXT DEFAULT '' NOT NULL,
    hint TEXT DEFAULT '' NOT NULL,
    exit_code BIGINT,
    attempt BIGINT DEFAULT '1' NOT NULL,
    actor TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    duration_ms BIGINT,
    PRIMARY KEY (id)
);
CREATE INDEX oneoffs_by_app ON oneoffs(app, id);
ALTER TABLE step_logs ADD COLUMN stream TEXT DEFAULT 'stdout' NOT NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
