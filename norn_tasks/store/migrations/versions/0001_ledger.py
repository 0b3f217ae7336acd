"""The job ledger: jobs, steps, slots, events, workers; and the indexes that enforce its rules."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE beats (
    name TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    lag_seconds DOUBLE PRECISION DEFAULT '0' NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE events (
    id BIGSERIAL NOT NULL,
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    kind TEXT NOT NULL,
    app TEXT,
    job_id BIGINT,
    seq BIGINT,
    data JSONB DEFAULT '{}' NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE idempotency (
    actor TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    job_id BIGINT,
    status BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (actor, method, path, key)
);

CREATE TABLE jobs (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    class TEXT NOT NULL,
    app TEXT NOT NULL,
    exclusive BOOLEAN NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    sync BOOLEAN DEFAULT 'false' NOT NULL,
    spec JSONB,
    args JSONB DEFAULT '{}' NOT NULL,
    facts JSONB DEFAULT '{}' NOT NULL,
    actor TEXT NOT NULL,
    dedupe_key TEXT,
    engine TEXT,
    container TEXT,
    process_group JSONB,
    release BIGINT,
    deployment BIGINT,
    execution BIGINT,
    claims BIGINT DEFAULT '0' NOT NULL,
    runs BIGINT DEFAULT '0' NOT NULL,
    max_runs BIGINT DEFAULT '1' NOT NULL,
    adopt BOOLEAN DEFAULT 'false' NOT NULL,
    lease_token BIGINT,
    lease_owner TEXT,
    lease_until TIMESTAMP WITH TIME ZONE,
    run_after TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    deadline TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    first_claimed_at TIMESTAMP WITH TIME ZONE,
    begun_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    cancel_requested_at TIMESTAMP WITH TIME ZONE,
    cancel_by TEXT,
    error JSONB,
    event_seq BIGINT DEFAULT '0' NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE slots (
    class TEXT NOT NULL,
    app TEXT NOT NULL,
    n BIGINT NOT NULL,
    job_id BIGINT,
    PRIMARY KEY (class, app, n)
);

CREATE TABLE step_logs (
    job_id BIGINT NOT NULL,
    step TEXT NOT NULL,
    seq BIGINT NOT NULL,
    chunk TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (job_id, step, seq)
);

CREATE TABLE steps (
    job_id BIGINT NOT NULL,
    n BIGINT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT DEFAULT '1' NOT NULL,
    token BIGINT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    note TEXT DEFAULT '' NOT NULL,
    error JSONB,
    PRIMARY KEY (job_id, n)
);

CREATE TABLE workers (
    name TEXT NOT NULL,
    class TEXT NOT NULL,
    host TEXT NOT NULL,
    pid BIGINT NOT NULL,
    engine TEXT,
    engine_error TEXT,
    slots BIGINT NOT NULL,
    busy BIGINT DEFAULT '0' NOT NULL,
    last_claim_at TIMESTAMP WITH TIME ZONE,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    draining_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (name)
);
"""

RULES = """
-- one for all jobs: a later claim has the higher token, whatever the job
CREATE SEQUENCE fence;
-- one for cron runs and calls: an execution id names a container
CREATE SEQUENCE executions;
-- a net under the claim's query, never its flow
CREATE UNIQUE INDEX jobs_one_exclusive_running ON jobs(app) WHERE state = 'running' AND exclusive;
-- one waiting deploy an app: accepting locks the app, supersedes, inserts
CREATE UNIQUE INDEX jobs_one_deploy_waiting ON jobs(app)
    WHERE state = 'queued' AND kind = 'deploy' AND first_claimed_at IS NULL;
CREATE UNIQUE INDEX jobs_coalesced ON jobs(kind, app, dedupe_key) NULLS NOT DISTINCT
    WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'running');
CREATE INDEX jobs_ready ON jobs(class, id) WHERE state = 'queued';
CREATE INDEX jobs_ready_by_app ON jobs(class, app, id) WHERE state = 'queued';
-- of one app, a call that somebody waits for goes first
CREATE INDEX jobs_waited_for ON jobs(class, app, sync DESC, id) WHERE state = 'queued';
CREATE INDEX jobs_exclusive_order ON jobs(app, id) WHERE exclusive AND state IN ('queued', 'running');
CREATE INDEX jobs_leased ON jobs(lease_until) WHERE state = 'running';
CREATE INDEX jobs_by_app ON jobs(app, id);
CREATE INDEX slots_held ON slots(job_id) WHERE job_id IS NOT NULL;
CREATE INDEX events_in_order ON events(xact, id);
CREATE INDEX events_by_job ON events(job_id, seq) WHERE job_id IS NOT NULL;
CREATE INDEX events_by_app ON events(app, id) WHERE app IS NOT NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(TABLES)
    op.execute(RULES)
