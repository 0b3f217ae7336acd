"""Webhooks of repositories, and the pushes that they report."""

from alembic import op

revision = "0041"
down_revision = "0040"

TABLES = """
CREATE TABLE webhooks (
    id BIGSERIAL NOT NULL,
    repository TEXT NOT NULL,
    url TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    created_by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    rotated_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX webhooks_by_repository ON webhooks(repository);

CREATE TABLE push_deliveries (
    id BIGSERIAL NOT NULL,
    webhook BIGINT NOT NULL,
    digest TEXT NOT NULL,
    delivery TEXT NOT NULL,
    event TEXT NOT NULL,
    ref TEXT,
    revision TEXT,
    outcome TEXT NOT NULL,
    times BIGINT DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX push_deliveries_once ON push_deliveries(webhook, digest);
CREATE INDEX push_deliveries_by_age ON push_deliveries(created_at);

CREATE TABLE pushed (
    app TEXT NOT NULL,
    revision TEXT NOT NULL,
    job BIGINT NOT NULL,
    delivery BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (app)
);

CREATE TABLE push_jobs (
    delivery BIGINT NOT NULL,
    app TEXT NOT NULL,
    job BIGINT NOT NULL,
    outcome TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (delivery, app)
);
CREATE INDEX push_jobs_by_job ON push_jobs(job);
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(TABLES)
