"""The format and the least severity of a destination, and messages that report several alerts together."""

from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE destinations ADD COLUMN format TEXT DEFAULT 'json' NOT NULL")
    op.execute("ALTER TABLE destinations ADD COLUMN severity TEXT DEFAULT 'warning' NOT NULL")
    op.execute("ALTER TABLE destinations ADD COLUMN sent_at TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE destinations ALTER COLUMN sealed DROP NOT NULL")
    op.execute("ALTER TABLE deliveries ADD COLUMN part_of BIGINT")
    op.execute("CREATE INDEX deliveries_parts ON deliveries(part_of) WHERE part_of IS NOT NULL")
