"""Apps, deployments, releases, executions, schedules, replicas, tokens."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE addresses (
    app TEXT NOT NULL,
    port BIGINT NOT NULL,
    error TEXT,
    listening_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (app)
);

CREATE TABLE app_specs (
    app TEXT NOT NULL,
    version BIGINT NOT NULL,
    spec JSONB NOT NULL,
    actor TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (app, version)
);

CREATE TABLE apps (
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    spec JSONB NOT NULL,
    source TEXT NOT NULL,
    origin TEXT,
    version BIGINT DEFAULT '1' NOT NULL,
    forge_state TEXT DEFAULT 'unforged' NOT NULL,
    forge_error JSONB,
    cluster TEXT,
    live_deployment BIGINT,
    live_generation BIGINT,
    replicas_override BIGINT,
    override_spec BIGINT,
    override_by TEXT,
    override_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE audit (
    id BIGSERIAL NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    actor TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    app TEXT,
    status BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE cron_executions (
    scheduled_for TIMESTAMP WITH TIME ZONE,
    trigger TEXT NOT NULL,
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

CREATE TABLE cron_states (
    app TEXT NOT NULL,
    schedule TEXT NOT NULL,
    timezone TEXT NOT NULL,
    override_schedule TEXT,
    override_timezone TEXT,
    override_by TEXT,
    override_at TIMESTAMP WITH TIME ZONE,
    paused_at TIMESTAMP WITH TIME ZONE,
    paused_by TEXT,
    paused_reason TEXT,
    concurrent BIGINT DEFAULT '1' NOT NULL,
    anchor TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    decided_until TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    next_due TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (app)
);

CREATE TABLE cron_ticks (
    id BIGSERIAL NOT NULL,
    app TEXT NOT NULL,
    scheduled_for TIMESTAMP WITH TIME ZONE NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    job_id BIGINT,
    execution BIGINT,
    until TIMESTAMP WITH TIME ZONE,
    how_many BIGINT DEFAULT '1' NOT NULL,
    open BOOLEAN DEFAULT 'false' NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE deployments (
    id BIGSERIAL NOT NULL,
    app TEXT NOT NULL,
    job_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    ref TEXT,
    revision TEXT,
    release BIGINT NOT NULL,
    actor TEXT NOT NULL,
    error JSONB,
    returned_to BIGINT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);

CREATE TABLE execution_io (
    execution BIGINT NOT NULL,
    request BYTEA,
    response BYTEA,
    stderr BYTEA,
    PRIMARY KEY (execution)
);

CREATE TABLE func_executions (
    sync BOOLEAN NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    query TEXT DEFAULT '' NOT NULL,
    headers JSONB DEFAULT '{}' NOT NULL,
    content_type TEXT DEFAULT '' NOT NULL,
    request_size BIGINT DEFAULT '0' NOT NULL,
    response_size BIGINT,
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

CREATE TABLE instance (
    name TEXT NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE releases (
    app TEXT NOT NULL,
    n BIGINT NOT NULL,
    image TEXT,
    image_id TEXT,
    engine TEXT,
    key TEXT,
    stages TEXT[] DEFAULT '{}' NOT NULL,
    revision TEXT,
    spec JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    live_at TIMESTAMP WITH TIME ZONE,
    pruned_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (app, n)
);

CREATE TABLE replicas (
    container TEXT NOT NULL,
    app TEXT NOT NULL,
    release BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    state TEXT NOT NULL,
    address TEXT DEFAULT '' NOT NULL,
    token BIGINT NOT NULL,
    drained_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (container)
);

CREATE TABLE tokens (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    apps TEXT[],
    created_by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);

CREATE TABLE workload_status (
    app TEXT NOT NULL,
    wanted BIGINT NOT NULL,
    ready BIGINT NOT NULL,
    replicas JSONB NOT NULL,
    message TEXT DEFAULT '' NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (app)
);
"""

RULES = """
INSERT INTO instance(name) VALUES (substr(md5(CAST(gen_random_uuid() AS text)), 1, 6));
CREATE INDEX deployments_by_app ON deployments(app, id);
CREATE UNIQUE INDEX deployments_one_release ON deployments(app, release) WHERE kind = 'deploy';
CREATE INDEX releases_by_key ON releases(app, key) WHERE image_id IS NOT NULL;
CREATE INDEX cron_executions_by_app ON cron_executions(app, id);
CREATE INDEX func_executions_by_app ON func_executions(app, id);
-- the identity of an occurrence: one row, one verdict
CREATE UNIQUE INDEX cron_ticks_unique ON cron_ticks(app, scheduled_for);
CREATE INDEX cron_states_due ON cron_states(next_due) WHERE next_due IS NOT NULL;
CREATE UNIQUE INDEX addresses_one_port ON addresses(port);
CREATE INDEX replicas_by_app ON replicas(app);
CREATE UNIQUE INDEX tokens_by_hash ON tokens(hash);
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(TABLES)
    op.execute(RULES)
