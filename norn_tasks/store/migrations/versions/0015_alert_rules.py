"""The rule that raised an alert; until now every alert was raised by the rules of cron apps."""

from alembic import op

revision = "0015"
down_revision = "0014"

CHANGES = """
ALTER TABLE alerts ADD COLUMN rule TEXT;
UPDATE alerts SET rule = 'cron';
ALTER TABLE alerts ALTER COLUMN rule SET NOT NULL;
DROP INDEX alerts_one_open;
-- the same trouble is reported once: one alert of a rule and a key is open
CREATE UNIQUE INDEX alerts_one_open ON alerts(rule, key) WHERE resolved_at IS NULL;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
