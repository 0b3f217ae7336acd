"""Alerts, the receivers of notifications, their deliveries, and the dead man's switch."""

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = """
CREATE TABLE alerts (
    id BIGSERIAL NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    app TEXT NOT NULL,
    sentence TEXT NOT NULL,
    hint TEXT NOT NULL,
    tick BIGINT,
    raised_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    resolved_at TIMESTAMP WITH TIME ZONE,
    resolution TEXT,
    PRIMARY KEY (id)
);

CREATE TABLE destinations (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    apps TEXT[],
    kinds TEXT[],
    created_by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE deliveries (
    id BIGSERIAL NOT NULL,
    destination BIGINT NOT NULL,
    subject TEXT NOT NULL,
    event TEXT NOT NULL,
    app TEXT,
    body JSONB NOT NULL,
    state TEXT DEFAULT 'waiting' NOT NULL,
    attempts BIGINT DEFAULT '0' NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    job_id BIGINT,
    told TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);

CREATE TABLE deadman (
    id BIGINT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE,
    answered_at TIMESTAMP WITH TIME ZONE,
    error TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id)
);
"""

RULES = """
INSERT INTO deadman(id) VALUES (1);
-- the same trouble is told once: one alert of a key is open
CREATE UNIQUE INDEX alerts_one_open ON alerts(key) WHERE resolved_at IS NULL;
CREATE INDEX alerts_by_key ON alerts(key, tick);
CREATE INDEX alerts_by_app ON alerts(app, id);
CREATE UNIQUE INDEX destinations_by_name ON destinations(name);
CREATE UNIQUE INDEX deliveries_once ON deliveries(destination, subject);
CREATE INDEX deliveries_due ON deliveries(next_at) WHERE state = 'waiting';
CREATE INDEX cron_ticks_missed ON cron_ticks(decided_at) WHERE verdict = 'missed';
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(TABLES)
    op.execute(RULES)
