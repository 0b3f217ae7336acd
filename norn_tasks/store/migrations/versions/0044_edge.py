"""The certificates of public host names at the edge, and the apps that are in maintenance."""

from alembic import op

revision = "0044"
down_revision = "0043"

MAINTENANCES = """
CREATE TABLE maintenances (
    app TEXT PRIMARY KEY,
    message TEXT NOT NULL,
    page TEXT NOT NULL,
    began_by TEXT NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL
)"""


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE external_hosts ADD COLUMN issuer TEXT DEFAULT '' NOT NULL")
    op.execute("ALTER TABLE external_hosts ADD COLUMN valid_from TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE external_hosts ADD COLUMN valid_until TIMESTAMP WITH TIME ZONE")
    op.execute(MAINTENANCES)
