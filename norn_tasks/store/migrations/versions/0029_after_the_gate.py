"""The health of live replicas, the ends of their programs, and the history of each app's state."""

from alembic import op

revision = "0029"
down_revision = "0028"

CHANGES = """
ALTER TABLE replicas
    ADD COLUMN health JSONB,
    ADD COLUMN failures BIGINT DEFAULT '0' NOT NULL,
    ADD COLUMN fault TEXT DEFAULT '' NOT NULL,
    ADD COLUMN silent BOOLEAN DEFAULT 'false' NOT NULL,
    ADD COLUMN unhealthy BOOLEAN DEFAULT 'false' NOT NULL,
    ADD COLUMN checked_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN restarts BIGINT DEFAULT '0' NOT NULL;

CREATE TABLE replica_ends (
    id BIGSERIAL NOT NULL,
    app TEXT NOT NULL,
    container TEXT NOT NULL,
    release BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    exit_code BIGINT,
    out_of_memory BOOLEAN NOT NULL,
    times BIGINT DEFAULT '1' NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE app_states (
    id BIGSERIAL NOT NULL,
    app TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);
"""

RULES = """
-- several looks report one end
CREATE UNIQUE INDEX replica_ends_once ON replica_ends(container, at);
CREATE INDEX replica_ends_by_app ON replica_ends(app, at);
CREATE INDEX replica_ends_by_id ON replica_ends(app, id);
CREATE UNIQUE INDEX app_states_present ON app_states(app) WHERE ended_at IS NULL;
CREATE INDEX app_states_by_app ON app_states(app, id);
"""

# A replica from before the upgrade is checked as its release says. How often it was restarted is unknown (-1), so that
# restarts before the upgrade are not counted as new.
REPLICAS = """
UPDATE replicas p SET restarts = -1,
       health = CASE WHEN r.spec ->> 'role' = 'webserver' THEN (r.spec -> 'health') || jsonb_build_object(
         'path', coalesce(r.spec #>> '{health,path}', r.spec ->> 'healthcheck')) END
  FROM releases r WHERE r.app = p.app AND r.n = p.release;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
    op.execute(RULES)
    op.execute(REPLICAS)
