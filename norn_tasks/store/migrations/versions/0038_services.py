"""The databases, namespaces and topics that apps were given."""

from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    """Applies the change."""
    op.execute("""
CREATE TABLE service_parts (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  app TEXT NOT NULL,
  at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
  made_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (kind, name, app))""")
    op.execute("CREATE UNIQUE INDEX service_parts_owner ON service_parts(kind, name) WHERE kind <> 'events'")
    op.execute("CREATE INDEX service_parts_app ON service_parts(app)")
