"""Cron: policies of schedules, planned starts, the actor that ended a pause, and gaps that are still to be counted."""

from alembic import op

revision = "0004"
down_revision = "0003"

CHANGES = """
ALTER TABLE cron_states
    ADD COLUMN catchup TEXT DEFAULT 'last' NOT NULL,
    ADD COLUMN concurrency TEXT DEFAULT 'forbid' NOT NULL,
    ADD COLUMN start_deadline BIGINT,
    ADD COLUMN jitter BIGINT DEFAULT '0' NOT NULL;
UPDATE cron_states s SET catchup = coalesce(a.spec->>'catchup', 'last'),
    concurrency = coalesce(a.spec->>'concurrency', 'forbid') FROM apps a WHERE a.name = s.app;

ALTER TABLE cron_executions ADD COLUMN planned_at TIMESTAMP WITH TIME ZONE;
UPDATE cron_executions SET planned_at = coalesce(scheduled_for, created_at);

ALTER TABLE cron_ticks ADD COLUMN actor TEXT, ADD COLUMN closed_by TEXT, ADD COLUMN closed_for TEXT;
-- a pause has one open range
CREATE UNIQUE INDEX cron_ticks_one_open ON cron_ticks(app) WHERE open;

CREATE TABLE cron_gaps (
    id BIGSERIAL NOT NULL,
    app TEXT NOT NULL,
    schedule TEXT NOT NULL,
    timezone TEXT NOT NULL,
    anchor TIMESTAMP WITH TIME ZONE NOT NULL,
    after TIMESTAMP WITH TIME ZONE NOT NULL,
    before TIMESTAMP WITH TIME ZONE NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    catches_up BOOLEAN DEFAULT 'false' NOT NULL,
    tick BIGINT,
    decided_by TEXT NOT NULL,
    PRIMARY KEY (id)
);
-- work that may begin only later: beat wakes its class when the moment comes
CREATE INDEX jobs_later ON jobs(run_after) WHERE state = 'queued' AND run_after > created_at;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
