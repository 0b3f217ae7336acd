"""The public host names of apps with their rules and DNS records, and the findings about the tunnel."""

from alembic import op

revision = "0035"
down_revision = "0034"

HOSTS = """
CREATE TABLE external_hosts (
    host TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    service TEXT,
    ruled BOOLEAN DEFAULT false NOT NULL,
    record TEXT,
    recorded BOOLEAN DEFAULT false NOT NULL,
    leaving BOOLEAN DEFAULT false NOT NULL,
    state TEXT DEFAULT 'not routed' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE
)"""
CHECKS = """
CREATE TABLE tunnel_checks (
    name TEXT PRIMARY KEY,
    good BOOLEAN NOT NULL,
    sentence TEXT NOT NULL,
    hint TEXT NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL
)"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(HOSTS)
    op.execute("CREATE INDEX external_hosts_app ON external_hosts(app)")
    op.execute(CHECKS)
